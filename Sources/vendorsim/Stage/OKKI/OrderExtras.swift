import JSON

/// The fields of `order/info` that Ferry does not need but a real reply has; shown with `detail = full`.
enum OrderExtras {
  static func write(_ order: SalesOrder, strict: Bool, into item: inout JSONWriter) {
    item.member(
      "link_status", array: { list in for status in [20, 30, 40, 60, 50, 10] { list.integer(Int64(status)) } })
    for (name, code) in [("stock_up_status", 10), ("shipping_status", 20), ("end_status", 30)] {
      item.member(
        name,
        object: { status in
          status.member("title", "未开始")
          status.member("link_status", code)
        })
    }
    for name in [
      "company_phone", "company_fax", "company_address", "customer_name", "customer_phone", "customer_email",
      "customer_address", "price_contract_remark", "receive_remittance_way", "receive_remittance_remark",
      "insurance_remark", "order_contract", "shipment_deadline_remark", "shipment_port", "target_port", "more_or_less",
      "package_remark", "marked", "collection_date", "capital_name", "capital_bank", "bank_account", "bank_info",
    ] {
      item.member(name, "")
    }
    item.member("customer_id", 3_448_561_934)
    item.member("price_contract", "FOB")
    item.member("transport_mode", "海运")
    item.member("country", "US")
    item.member("opportunity_id", 0)
    item.member("quotation_id", 0)
    item.member("capital_account_id", 0)
    item.member("tax_refund_type", 0)
    item.member("cost_with_tax_total", 0)
    item.member(
      "departments",
      array: { list in
        list.object { department in
          department.member("rate", 100)
          department.member("department_id", "148")
          department.member("name", "外贸部")
        }
      })
    item.member(
      "handler",
      array: { list in
        list.object { handler in
          handler.member("user_id", String(Catalogue.people[order.person].user))
          handler.member("nickname", Catalogue.people[order.person].nickname)
        }
      })
    for name in ["collect_amount_rmb", "collect_amount_usd", "not_collect_amount_rmb", "not_collect_amount_usd"] {
      if strict { item.member(name, "0") } else { item.member(name, 0) }
    }
    for name in ["percentage_rmb", "percentage_usd"] {
      if strict { item.member(name, "0%") } else { item.member(name, 0) }
    }
    item.member("file_list", array: { _ in })
    item.member("alibaba_order_info", array: { _ in })
    item.member(
      "ali_status_info",
      object: { status in
        status.member("status_name", "")
        status.member("ali_status_name", "")
        status.member("ali_status_id", 0)
      })
  }

  static func write(_ line: SalesOrder.Line, into item: inout JSONWriter) {
    item.member("sku_code", line.productNumber)
    item.member("product_type", 1)
    item.member("product_remark", line.remark)
    for name in [
      "product_cn_name", "product_model", "sku_attributes", "hs_code", "product_image", "description",
      "product_package_remark", "refer_order_no", "combine_product_no", "cost_name", "cost_remark",
    ] {
      item.member(name, "")
    }
    for name in [
      "cost_with_tax", "is_master_product", "master_id", "combine_product_id", "enable_count", "to_outbound_count",
      "to_purchase_count", "task_outbound_count", "task_purchase_count", "todo_shipping_count", "product_disable_flag",
      "quotation_id", "quotation_product_id", "inquiry_product_id", "cost", "percent_amount", "cost_item_relation_id",
    ] {
      item.member(name, 0)
    }
    item.member("tax_refund_rate", 15)
    item.member("product_enable_flag", 1)
    item.member("offer_data", array: { _ in })
    item.member("1101060401", "")
  }
}
