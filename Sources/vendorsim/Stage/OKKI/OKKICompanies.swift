import JSON

/// Companies, products and people.
extension OKKISite {
  func companyList(_ request: Request) -> Reply {
    guard let page = page(request.query, defaultSize: 20) else { return failure(400, "count 超出范围") }
    guard let window = window(request.query) else { return failure(400, "时间格式错误") }
    let removed = request.query["removed"] == "1"
    let matching = companies.filter {
      $0.hidden == removed && $0.updateTime >= window.from && $0.updateTime <= window.to
    }
    let part = slice(matching[...], page)
    let items = part.map { company in
      var item = JSONWriter(reserving: 512)
      item.object { write(company, into: &$0) }
      return spoilt(company.id, item.bytes)
    }
    return success(reserving: items.reduce(256) { $0 + $1.count + 1 }) { writer in
      writer.member("list", array: { list in for item in items { list.raw(item) } })
      writer.member("totalItem", matching.count)
      writer.member("count", part.count)
    }
  }

  func companyInfo(_ request: Request) -> Reply {
    let query = request.query
    let found: Company? =
      if let id = query["company_id"].flatMap({ Int64($0) }) {
        company(id)
      } else if let serial = query["serial_id"], !serial.isEmpty {
        companies.first { $0.serial == serial && !$0.hidden }
      } else {
        nil
      }
    guard let found, !found.hidden else { return notFound() }
    return success { writer in
      write(found, into: &writer)
      writer.member("customers", array: { _ in })
      writer.member("owner", array: { _ in })
      writer.member("country", "CN")
      writer.member("trail_status", array: { _ in })
    }
  }

  func companyQuery(_ request: Request) -> Reply {
    let word = request.query["word"] ?? ""
    let field = request.query["search_field"] ?? "name"
    guard field == "name" || field == "serial_id" else { return failure(400, "search_field 参数错误") }
    let matching = companies.filter { !$0.hidden && (field == "name" ? $0.name : $0.serial).contains(word) }
    return success(reserving: 4_096) { writer in
      writer.member(
        "list",
        array: { list in
          for company in matching.prefix(20) {
            list.object { one in
              one.member("serial_id", company.serial)
              one.member("company_id", company.id)
              one.member("is_public", 0)
              one.member("name", company.name)
              one.member("short_name", "客户\(company.index)")
            }
          }
        })
      writer.member("totalItem", matching.count)
    }
  }

  private func write(_ company: Company, into writer: inout JSONWriter) {
    let person = Catalogue.people[company.index % Catalogue.people.count]
    writer.member("company_id", company.id)
    writer.member("user_id", array: { $0.string(String(person.user)) })
    writer.member("name", company.name)
    writer.member("short_name", "客户\(company.index)")
    writer.member("serial_id", company.serial)
    writer.member("order_time", BeijingTime.text(company.updateTime))
    writer.member("create_time", BeijingTime.text(company.updateTime - 86_400))
    writer.member("update_time", BeijingTime.text(company.updateTime))
    writer.member("create_user", person.user)
    writer.member("last_edit_user", person.user)
    writer.member("archive_type", 1)
    writer.member("edit_time", BeijingTime.text(company.updateTime))
  }

  // MARK: products

  func productInfo(_ request: Request) -> Reply {
    let query = request.query
    let index: Int? =
      if let number = query["product_no"] {
        (0..<Catalogue.products).first { Catalogue.productNumber($0) == number }
      } else {
        query.whole("product_id").map { ($0 - 3_495_743_000) / 2 }
      }
    guard let index, (0..<Catalogue.products).contains(index) else { return notFound() }
    return success { write(product: index, into: &$0) }
  }

  func productList(_ request: Request) -> Reply {
    guard let page = page(request.query, defaultSize: 20) else { return failure(400, "count 超出范围") }
    let part = slice(Array(0..<Catalogue.products)[...], page)
    return success(reserving: 256 * (part.count + 1)) { writer in
      writer.member("list", array: { list in for index in part { list.object { write(product: index, into: &$0) } } })
      writer.member("totalItem", Catalogue.products)
    }
  }

  private func write(product index: Int, into writer: inout JSONWriter) {
    writer.member("product_id", String(3_495_743_000 + index * 2))
    writer.member("sku_id", 3_495_743_001 + index * 2)
    writer.member("product_no", Catalogue.productNumber(index))
    writer.member("name", Catalogue.productName(index))
    writer.member("model", "670-\(padded(index, 4))")
    writer.member("unit", Catalogue.productUnit(index).okki)
    writer.member("disable_flag", 0)
    writer.member("product_type", 1)
  }

  // MARK: people

  func userList(_ request: Request) -> Reply {
    var writer = JSONWriter(reserving: 1_024)
    writer.beginArray()
    for person in Catalogue.people {
      writer.object { one in
        one.member("user_id", String(person.user))
        one.member("email", "\(person.user)@example.com")
        one.member("nickname", person.nickname)
        one.member("full_name", person.nickname)
        one.member("employee_no", person.employee)
        one.member("department_id", 148)
        one.member("departments", array: { $0.integer(148) })
      }
    }
    writer.endArray()
    return success(writer.bytes)
  }

  func departmentList(_ request: Request) -> Reply {
    success([UInt8](#"[{"department_id":148,"name":"外贸部","parent_id":0}]"#.utf8))
  }
}
