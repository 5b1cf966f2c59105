/// Valid documents to cut, damage and copy: small, and together with every kind of value, escape and space.
enum Samples {
  static let documents = [
    #"{"code":200,"data":{"order_id":5203556502,"amount":-12.50,"list":[1,2.0,3e5,null,true,false,{}]},"ok":[]}"#,
    #"{"a\u0041\n":"\ud83d\ude00 \"quoted\" \\ \/ \b\f\r\t","示例":"客户 é 😀","":{"x":[[],[[]]]}}"#,
    " [ 0 , -0.0 , 1E+2 ,\t\"\" ,\r\n{ \"k\" : \"v\" , \"k\" : \"w\" } , 123456789012345678901234567890.10 ] \n",
    #"{"product_list":[{"product_no":"202400001","count":3,"unit_price":0.3333},{"count":"7","remark":""}]}"#,
    #"["plain text of some length, longer than a word of eight bytes", "连接线连接线连接线连接线", "\u8fde\u63a5"]"#,
  ]
}
