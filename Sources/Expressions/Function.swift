/// The functions, each with a row in `FunctionTable`.
enum Function: Int32, Sendable, CaseIterable {
  // Choice.
  case iff, ifNull, nullIf, isNull, coalesce, greatest, least, field, elt
  // Texts.
  case concat, concatWS, substring, substringIndex, left, right, trim, ltrim, rtrim, lpad, rpad, upper, lower
  case length, charLength, locate, instr, replace, repeated, space, reverse, strcmp, findInSet, insert, ascii, hex
  case regexpReplace, regexpSubstr, regexpInstr, md5, sha1, sha2, uuid, format
  // Numbers.
  case round, truncate, floor, ceil, abs, mod, sign, pow
  // Dates.
  case now, curDate, curTime, date, time, timestamp, dateFormat, timeFormat, strToDate, fromUnixTime, unixTimestamp
  case dateAdd, dateSub, dateDiff, timestampDiff, timeDiff, year, quarter, month, week, weekOfYear, yearWeek, day
  case dayOfWeek, weekday, dayOfYear, hour, minute, second, microsecond, lastDay, monthName, dayName, toDays, fromDays
  case makeDate, extract, timeToSec, secToTime
  // Lists.
  case sum, avg, min, max, count, groupConcat

  /// The option of a list function that leaves out what comes again.
  static let distinct: UInt8 = 1

  var isAggregate: Bool { rawValue >= Function.sum.rawValue }
}
