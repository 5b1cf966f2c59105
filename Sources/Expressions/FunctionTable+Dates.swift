extension FunctionTable {
  static let dates = [
    FunctionRow(
      .now, "NOW", "CURRENT_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP", "SYSDATE", of: "", 0...1,
      "the present second in Beijing"),
    FunctionRow(.curDate, "CURDATE", "CURRENT_DATE", of: "", 0...0, "today in Beijing"),
    FunctionRow(.curTime, "CURTIME", "CURRENT_TIME", of: "", 0...1, "the present time of day in Beijing"),
    FunctionRow(
      .date, "DATE", of: "x", 1...1,
      "the day; null for what is no date (an error in strict mode, save for the empty text)"),
    FunctionRow(.time, "TIME", of: "x", 1...1, "the time of day"),
    FunctionRow(.timestamp, "TIMESTAMP", of: "x", 1...1, "the day and the time of day"),
    FunctionRow(
      .dateFormat, "DATE_FORMAT", of: "x, format", 2...2,
      "the date written with `%Y %m %d %H %i %s %T` and MySQL's other letters"),
    FunctionRow(.timeFormat, "TIME_FORMAT", of: "x, format", 2...2, "a time written with `%H %i %s` and the like"),
    FunctionRow(
      .strToDate, "STR_TO_DATE", of: "x, format", 2...2,
      "reads a date, a time or both by a format; where it does not fit a failure, null in IFNULL and its like"),
    FunctionRow(
      .fromUnixTime, "FROM_UNIXTIME", of: "seconds[, format]", 1...2,
      "the time in Beijing so many seconds after 1970-01-01 UTC, perhaps written with a format"),
    FunctionRow(
      .unixTimestamp, "UNIX_TIMESTAMP", of: "[x]", 0...1, "seconds since 1970-01-01 UTC of a time in Beijing, or of now"
    ),
    FunctionRow(
      .dateAdd, "DATE_ADD", "ADDDATE", of: "x, INTERVAL n unit", 2...2,
      "later by so many units; also `x + INTERVAL n unit`, `ADDDATE(x, days)` and `TIMESTAMPADD(unit, n, x)`"),
    FunctionRow(
      .dateSub, "DATE_SUB", "SUBDATE", of: "x, INTERVAL n unit", 2...2,
      "earlier by so many units; also `x - INTERVAL n unit`"),
    FunctionRow(.dateDiff, "DATEDIFF", of: "x, y", 2...2, "days from y to x"),
    FunctionRow(.timestampDiff, "TIMESTAMPDIFF", of: "unit, x, y", 2...2, "whole units from x to y"),
    FunctionRow(.timeDiff, "TIMEDIFF", of: "x, y", 2...2, "the time from y to x, at most 838:59:59"),
    FunctionRow(.year, "YEAR", of: "x", 1...1, "its year"),
    FunctionRow(.quarter, "QUARTER", of: "x", 1...1, "its quarter, 1 to 4"),
    FunctionRow(.month, "MONTH", of: "x", 1...1, "its month, 1 to 12"),
    FunctionRow(.week, "WEEK", of: "x[, mode]", 1...2, "its week by MySQL's mode, 0 when left out"),
    FunctionRow(.weekOfYear, "WEEKOFYEAR", of: "x", 1...1, "its week as ISO 8601 counts"),
    FunctionRow(.yearWeek, "YEARWEEK", of: "x[, mode]", 1...2, "year and week as one number"),
    FunctionRow(.day, "DAY", "DAYOFMONTH", of: "x", 1...1, "its day, 1 to 31"),
    FunctionRow(.dayOfWeek, "DAYOFWEEK", of: "x", 1...1, "1 for Sunday"),
    FunctionRow(.weekday, "WEEKDAY", of: "x", 1...1, "0 for Monday"),
    FunctionRow(.dayOfYear, "DAYOFYEAR", of: "x", 1...1, "its day in the year, 1 to 366"),
    FunctionRow(.hour, "HOUR", of: "x", 1...1, "its hour"),
    FunctionRow(.minute, "MINUTE", of: "x", 1...1, "its minute"),
    FunctionRow(.second, "SECOND", of: "x", 1...1, "its second"),
    FunctionRow(.microsecond, "MICROSECOND", of: "x", 1...1, "its microsecond"),
    FunctionRow(.lastDay, "LAST_DAY", of: "x", 1...1, "the last day of its month"),
    FunctionRow(.monthName, "MONTHNAME", of: "x", 1...1, "the English name of its month"),
    FunctionRow(.dayName, "DAYNAME", of: "x", 1...1, "the English name of its weekday"),
    FunctionRow(.toDays, "TO_DAYS", of: "x", 1...1, "days since the year 0"),
    FunctionRow(.fromDays, "FROM_DAYS", of: "n", 1...1, "the day with this number"),
    FunctionRow(.makeDate, "MAKEDATE", of: "year, day", 2...2, "the day with this number in a year"),
    FunctionRow(.extract, "EXTRACT", of: "unit FROM x", 1...1, "one part of a date, or several side by side"),
    FunctionRow(.timeToSec, "TIME_TO_SEC", of: "x", 1...1, "a time in seconds"),
    FunctionRow(.secToTime, "SEC_TO_TIME", of: "n", 1...1, "seconds as a time"),
  ]
}
