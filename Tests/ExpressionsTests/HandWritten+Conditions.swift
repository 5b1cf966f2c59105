extension HandWritten {
  /// Operators, comparisons and choice.
  static let conditions = #"""
    ROUND(1.5,3)
    ROUND(15,-1)
    ROUND(-2.5)
    ROUND(1.005,2)
    TRUNCATE(1.999,2)
    TRUNCATE(1.9,3)
    TRUNCATE(199,-2)
    ROUND('1.55',1)
    FLOOR(-1.5)
    CEIL(1.2)
    FLOOR('3.7')
    1/3
    10/4
    1/3*3
    100/3
    1.50/3
    '10'/4
    '1.10'+1
    1.10+1
    2*1.50
    5 DIV 2
    -5 DIV 2
    5.9 DIV 2
    7 DIV 0
    7 % 0
    7.5 % 2
    -7 % 3
    '7' % 3
    1+'abc'
    1+'12abc'
    1+' 12'
    1+''
    NULL+1
    GREATEST(1,2.50)
    GREATEST(3,2.50)
    GREATEST(2,'10')
    GREATEST('b','a')
    GREATEST(1,NULL)
    LEAST('a',0)
    IFNULL(1,2.50)
    COALESCE(NULL,1,2.50)
    IF(1,1,2.50)
    IF(1,1,'a')
    CASE WHEN 1 THEN 1.5 ELSE 'x' END
    NULLIF(1,1)
    NULLIF(1.50,2)
    TRUE
    TRUE+1
    IF(1,TRUE,FALSE)
    'a'='A'
    'a'='a  '
    'a' LIKE 'a '
    'a ' = 'a'
    ' a' = 'a'
    'é'='e'
    'ß'='s'
    'ß'='ss'
    '😀'='😁'
    'Ａ'='ａ'
    'Ａ'='A'
    '中'='国'
    'a'<'B'
    'a'<'_'
    'ab'<'ab '
    'ab'<'ab!'
    'ab\t' < 'ab'
    '10'='10.0'
    10='10.0'
    10='10abc'
    ''=0
    'a'=0
    NULL=NULL
    NULL<=>NULL
    1<=>NULL
    1 XOR 1
    NOT 1
    !0
    NOT 'a'
    NOT '1.5'
    '0.5' AND 1
    IF('0.0',1,2)
    IF('abc',1,2)
    NULL AND 0
    NULL OR 1
    1 AND NULL
    'a'||'b'
    1 || 0
    3 IN (1,2,'3')
    'a' IN ('A','b')
    NULL IN (1)
    1 IN (2,NULL)
    1 NOT IN (2,NULL)
    '10' BETWEEN 2 AND 20
    '10' BETWEEN '2' AND '20'
    5 BETWEEN NULL AND 3
    5 BETWEEN 6 AND NULL
    5 NOT BETWEEN 1 AND 3
    'abc' LIKE 'A%'
    'a%c' LIKE 'a\%c'
    'a%c' LIKE 'a|%c' ESCAPE '|'
    'a_c' LIKE 'a\_c'
    'abc' LIKE ''
    '' LIKE ''
    '' LIKE '%'
    10 LIKE '1%'
    'a\nb'
    'a\qb'
    'it''s'
    "say ""x"""
    '\%'
    '\_'
    'a' 'b'
    '中文' LIKE '__'
    '😀' LIKE '_'
    'abc' REGEXP '^A'
    'abc' RLIKE 'b.'
    'a1' REGEXP '[[:digit:]]'
    '１' REGEXP '\\d'
    '中' REGEXP '\\w'
    'é' REGEXP 'É'
    'a\nb' REGEXP 'a.b'
    'a\nb' REGEXP 'a$'
    NULL REGEXP 'a'
    'a' NOT REGEXP 'b'
    'abc' REGEXP ''
    'abc' NOT LIKE 'b%'
    'aXbXc' LIKE '%x%x%'
    'aaaaab' LIKE 'a%a%b'
    '50%' LIKE '50\%'
    'a\\b' LIKE 'a\\\\b'
    '\{' LIKE '\{'
    'abc' LIKE 'a|_c' ESCAPE '|'
    'a|c' LIKE 'a||c' ESCAPE '|'
    'abc' LIKE '___'
    NULL LIKE 'a'
    'a' LIKE NULL
    'Straße' LIKE 'STRASE'
    'ÀÉÎ' = 'aei'
    'Ж' = 'ж'
    'Ω' = 'ω'
    '中 ' = '中'
    'a' <> 'b'
    'a' != 'A'
    2 <> 2.0
    3 >= '3'
    '3' >= '03'
    NULL <> 1
    NULL <=> 'a'
    '' <=> NULL
    1 = TRUE
    '1' = TRUE
    'a' BETWEEN 'A' AND 'C'
    'd' NOT BETWEEN 'A' AND 'C'
    2.5 BETWEEN 2 AND 3
    NULL BETWEEN 1 AND 2
    'b' NOT IN ('a','c')
    1.0 IN (1)
    'x' IN ('y',NULL)
    TRUE AND NULL
    FALSE AND NULL
    TRUE OR NULL
    FALSE OR NULL
    NULL XOR 1
    1 XOR 0 XOR 1
    NOT 0
    NOT NULL IS NULL
    (NOT NULL) IS NULL
    NULL IS NOT TRUE
    0 IS FALSE
    'a' IS TRUE
    '1' IS TRUE
    1 IS NOT FALSE
    CASE WHEN NULL THEN 1 ELSE 2 END
    CASE NULL WHEN NULL THEN 1 ELSE 2 END
    CASE 1 WHEN 2 THEN 'x' END
    CASE 'a' WHEN 'A' THEN 'same' ELSE 'other' END
    CASE '0.0' WHEN '0' THEN 1 ELSE 2 END
    CASE '0.0' WHEN 0 THEN 1 ELSE 2 END
    CASE WHEN 1>2 THEN 'a' WHEN 2>1 THEN 'b' ELSE 'c' END
    case when'' ='' then 'empty' else 'full' end
    CASE LOCATE('b','abc') WHEN 0 THEN 'no' ELSE 'yes' END
    IF(NULL,1,2)
    IF('1a',1,2)
    IF(0.1,'y','n')
    IFNULL(NULL,'a')
    IFNULL('a','b')
    IFNULL(1/0,5)
    NULLIF('a','A')
    NULLIF(NULL,1)
    NULLIF(1,NULL)
    COALESCE(NULL,NULL,'c')
    COALESCE(NULL,NULL)
    ISNULL(NULL)
    ISNULL(0)
    ISNULL(1/0)
    7 / 2 * 2
    10 DIV 0.3
    -10 % 3
    10 % -3
    10.5 % 0.2
    0 / 5
    5 / 0
    0.00 / 3
    -1.5 * -1.5
    1.10 - 1.1
    100 - 99.99
    0.1 * 0.1
    999999999999.99 * 3
    1000000 * 1000000
    2 * (3 + 4) - 5 % 3
    - (2 + 3)
    '3' * '4'
    '7' - 2
    '5' % 2
    '10' DIV '3'
    TRUE * 3
    """#.split(separator: "\n").map(String.init)
}
