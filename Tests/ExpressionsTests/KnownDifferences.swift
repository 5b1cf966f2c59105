/// An expression that does not come to the same as in MariaDB, and why.
struct KnownDifference {
  let expression: String
  let mariaDB: MariaDB.Answer
  let ours: MariaDB.Answer
  let reason: String

  init(_ expression: String, mariaDB: MariaDB.Answer, ours: MariaDB.Answer, _ reason: String) {
    self.expression = expression
    self.mariaDB = mariaDB
    self.ours = ours
    self.reason = reason
  }

  static let all = [
    KnownDifference(
      "1/3*3", mariaDB: .text("1.0000"), ours: .text("0.9999"),
      "MySQL's division here gives what it shows; there more digits stay inside"),
    KnownDifference(
      "CAST(1/3 AS DECIMAL(10,6))", mariaDB: .text("0.333333"), ours: .text("0.333300"),
      "as above"),
    KnownDifference(
      "'10'/4", mariaDB: .text("2.5"), ours: .text("2.5000"),
      "a text in arithmetic becomes a binary float there; here it stays an exact decimal"),
    KnownDifference(
      "'1.10'+1", mariaDB: .text("2.1"), ours: .text("2.10"),
      "a text in arithmetic becomes a binary float there; here it stays an exact decimal"),
    KnownDifference(
      "-'1.50'", mariaDB: .text("-1.5"), ours: .text("-1.50"),
      "a text in arithmetic becomes a binary float there; here it stays an exact decimal"),
    KnownDifference(
      "ROUND('5', 2)", mariaDB: .text("5.00"), ours: .text("5"),
      "a text in arithmetic becomes a binary float there; here it stays an exact decimal"),
    KnownDifference(
      "GREATEST(3,2.50)", mariaDB: .text("3.00"), ours: .text("3"),
      "there the chosen value takes the widest scale of all branches; here it keeps its own"),
    KnownDifference(
      "IFNULL(1,2.50)", mariaDB: .text("1.00"), ours: .text("1"),
      "there the chosen value takes the widest scale of all branches; here it keeps its own"),
    KnownDifference(
      "COALESCE(NULL,1,2.50)", mariaDB: .text("1.00"), ours: .text("1"),
      "there the chosen value takes the widest scale of all branches; here it keeps its own"),
    KnownDifference(
      "IF(1,1,2.50)", mariaDB: .text("1.00"), ours: .text("1"),
      "there the chosen value takes the widest scale of all branches; here it keeps its own"),
    KnownDifference(
      "IFNULL(1/0,5)", mariaDB: .text("5.0000"), ours: .text("5"),
      "there the chosen value takes the widest scale of all branches; here it keeps its own"),
    KnownDifference(
      "ROUND(TRUNCATE(1.55,0),2)", mariaDB: .text("1.00"), ours: .text("1"),
      "a whole number shows no decimals here, whatever type it comes from"),
    KnownDifference(
      "'😀'='😁'", mariaDB: .text("1"), ours: .text("0"),
      "that collation takes all characters beyond U+FFFF for one; rare Chinese names need telling apart"),
    KnownDifference(
      "INSTR('1e2', 'é')", mariaDB: .text("0"), ours: .text("2"),
      "the server's search compares pieces of as many bytes as the needle has; ours goes by characters"),
    KnownDifference(
      "POW(2,-1)", mariaDB: .text("0.5"), ours: .text("0.5000"),
      "exact powers, and MySQL's scale of a division; a binary float there"),
    KnownDifference(
      "POWER(1.1, 2)", mariaDB: .text("1.2100000000000002"), ours: .text("1.21"),
      "a binary float there"),
    KnownDifference(
      "ROUND(2.5e0)", mariaDB: .text("2"), ours: .text("3"),
      "a number with an exponent is a binary float there, rounded half to even"),
    KnownDifference(
      "CAST(-1 AS UNSIGNED)", mariaDB: .text("18446744073709551615"), ours: .refused,
      "nobody means that number"),
    KnownDifference(
      "12345678901234567890123456789012345678 * 10", mariaDB: .text("123456789012345678901234567890123456780"),
      ours: .refused,
      "38 digits here, 65 there"),
    KnownDifference(
      "9223372036854775807+1", mariaDB: .refused, ours: .text("9223372036854775808"),
      "whole numbers are not bound to 64 bits here"),
    KnownDifference(
      "REGEXP_REPLACE('abc', 'b*', '-')", mariaDB: .text("abc"), ours: .text("-a--c-"),
      "the server stops at an empty match; ours goes on, as Perl does"),
    KnownDifference(
      "CAST('1e 2' AS DECIMAL(20,2))", mariaDB: .text("100.00"), ours: .text("1.00"),
      "the server passes over spaces behind the e of an exponent"),
    KnownDifference(
      "FIND_IN_SET(' ', 'A,')", mariaDB: .text("0"), ours: .text("2"),
      "an empty last part equals a space here as elsewhere; the server overlooks it"),
    KnownDifference(
      "STR_TO_DATE('2024-02-30','%Y-%m-%d')", mariaDB: .text("2024-02-30"), ours: .null,
      "a day that no calendar has is no date here"),
    KnownDifference(
      "FROM_DAYS(1)", mariaDB: .text("0000-00-00"), ours: .null,
      "there are no days before the year 1 here"),
  ]
}
