//! The shape of the main answers, as a client decodes them.

use insta::assert_snapshot;
use serde_json::json;

use super::*;

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("JSON")
}

#[tokio::test]
async fn a_member_has_only_the_fields_visible_to_new_apps() {
    let service = Service::start().await;
    let member = service.serving();
    assert_snapshot!(pretty(&service.get(&format!("user/get?userid={member}")).await.json()), @r#"
    {
      "alias": "",
      "department": [
        2
      ],
      "direct_leader": [],
      "errcode": 0,
      "errmsg": "ok",
      "extattr": {
        "attrs": []
      },
      "external_position": "项目经理",
      "is_leader_in_dept": [
        0
      ],
      "main_department": 2,
      "name": "孙超",
      "order": [
        0
      ],
      "position": "项目经理",
      "status": 1,
      "telephone": "",
      "userid": "sunchao"
    }
    "#);
}

#[tokio::test]
async fn a_card_and_a_page_of_cards_differ_in_their_tags() {
    let service = Service::start().await;
    let (member, customer) = service.platform.with(|world| {
        let mut pairs =
            world.members().flat_map(|it| world.customers_of(&it.userid).into_iter().map(|id| (it.userid.clone(), id)));
        let tagged = |(member, customer): &(UserId, ExternalUserId)| {
            let noted = world.notes(member, customer).is_some_and(|notes| !notes.remark_mobiles.is_empty());
            noted && customer.as_str().starts_with("wm")
        };
        pairs.find(tagged).expect("somebody has notes")
    });
    let card = service.get(&format!("externalcontact/get?external_userid={customer}")).await.json();
    assert_snapshot!(pretty(&card), @r#"
    {
      "errcode": 0,
      "errmsg": "ok",
      "external_contact": {
        "avatar": "https://wx.qlogo.cn/mmhead/3BTothOFqOrs45svksaWLJSwf9J/0",
        "external_userid": "wmFT47A8QIW3784SYL8yMLRl4eT7zmKu",
        "gender": 2,
        "name": "大刘",
        "type": 1,
        "unionid": "oLwjl64gfnL1hsfWqrPvtAC2Ttop"
      },
      "follow_user": [
        {
          "add_way": 1,
          "createtime": 1726228157,
          "description": "",
          "oper_userid": "wmFT47A8QIW3784SYL8yMLRl4eT7zmKu",
          "remark": "大刘-南山",
          "remark_mobiles": [
            "13116005787"
          ],
          "state": "cust:C-101025",
          "tags": [
            {
              "group_name": "需求",
              "tag_id": "etbNHYoiPutKcA9gWIKzDvAXJXXpa6u3",
              "tag_name": "翻新",
              "type": 1
            }
          ],
          "userid": "linyang"
        }
      ],
      "next_cursor": ""
    }
    "#);
    let row = card_in_pages(&service, &member, &customer).await;
    assert_eq!(row["external_contact"], card["external_contact"]);
    assert_snapshot!(pretty(&row["follow_info"]), @r#"
    {
      "add_way": 1,
      "createtime": 1726228157,
      "description": "",
      "oper_userid": "wmFT47A8QIW3784SYL8yMLRl4eT7zmKu",
      "remark": "大刘-南山",
      "remark_mobiles": [
        "13116005787"
      ],
      "state": "cust:C-101025",
      "tag_id": [
        "etbNHYoiPutKcA9gWIKzDvAXJXXpa6u3"
      ],
      "userid": "linyang"
    }
    "#);
}

/// A customer's card, as the pages of their member's cards have it.
async fn card_in_pages(service: &Service, member: &UserId, customer: &ExternalUserId) -> Value {
    let mut cursor = json!("");
    loop {
        let body = json!({ "userid_list": [member], "cursor": cursor });
        let page = service.post("externalcontact/batch/get_by_user", body).await.json();
        let rows = page["external_contact_list"].as_array().expect("a list").clone();
        if let Some(row) = rows.into_iter().find(|row| row["external_contact"]["external_userid"] == json!(customer)) {
            return row;
        }
        cursor = page["next_cursor"].clone();
    }
}

#[tokio::test]
async fn a_contact_way_reads_back_with_all_its_fields() {
    let service = Service::start().await;
    let way = json!({ "type": 1, "scene": 2, "remark": "门店A", "state": "t_9f3k2", "user": [service.serving()] });
    let made = service.post("externalcontact/add_contact_way", way).await.json();
    let body = json!({ "config_id": made["config_id"] });
    let read = service.post("externalcontact/get_contact_way", body).await.json();
    let shown = pretty(&read).replace(&service.platform.base_url(), "http://sandbox");
    assert_snapshot!(shown, @r#"
    {
      "contact_way": {
        "config_id": "64bc4cd02bc61b964046a28a64591a94",
        "is_exclusive": false,
        "is_temp": false,
        "party": [],
        "qr_code": "http://sandbox/sandbox/scan/64bc4cd02bc61b964046a28a64591a94",
        "remark": "门店A",
        "scene": 2,
        "skip_verify": true,
        "state": "t_9f3k2",
        "type": 1,
        "user": [
          "sunchao"
        ]
      },
      "errcode": 0,
      "errmsg": "ok"
    }
    "#);
}

#[tokio::test]
async fn a_refusal_names_what_is_wrong_a_trace_and_the_address() {
    let service = Service::start().await;
    let refused = service.get("user/get?userid=nobody").await;
    assert_eq!((refused.status, refused.header(header::CONTENT_TYPE)), (200, &b"application/json; charset=UTF-8"[..]));
    let text = refused.json()["errmsg"].as_str().expect("a text").to_owned();
    let (before, after) = text.split_once("hint: [").expect("a hint");
    let (hint, after) = after.split_once(']').expect("its end");
    assert_eq!(before, "userid not found, ");
    assert_eq!(after, ", from ip: 127.0.0.1, more info at https://open.work.weixin.qq.com/devtool/query?e=60111");
    let parts: Vec<&str> = hint.split('_').collect();
    assert!(parts.len() == 3 && parts[0].parse::<i64>().is_ok() && parts[2].len() == 32, "{hint}");
}
