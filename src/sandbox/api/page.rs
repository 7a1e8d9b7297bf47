//! The page behind a contact way's QR code, for a person who plays the customer.

use quick_xml::escape::escape;

use crate::sandbox::world::ContactWay;

/// The page for one contact way.
pub(super) fn scan(way: &ContactWay) -> String {
    let members: Vec<&str> = way.user.iter().map(|userid| userid.as_str()).collect();
    let parties: Vec<String> = way.party.iter().map(|id| format!("部门 {id}")).collect();
    let leads_to = members.into_iter().chain(parties.iter().map(String::as_str)).collect::<Vec<_>>().join("、");
    format!(
        r#"<!doctype html>
<html lang="zh-CN">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>模拟扫码</title>
<style>
  body {{ font: 16px/1.6 system-ui, sans-serif; max-width: 32rem; margin: 2rem auto; padding: 0 1rem; color: #222; }}
  dt {{ color: #666; }}
  dd {{ margin: 0 0 .5rem; overflow-wrap: anywhere; }}
  input {{ font: inherit; width: 100%; box-sizing: border-box; padding: .4rem; }}
  button {{ font: inherit; margin-top: 1rem; padding: .5rem 1.5rem; }}
</style>
<h1>模拟扫码</h1>
<p>这是模拟的企业微信“联系我”二维码。点击按钮,相当于一位客户用微信扫码并添加成员,随后会推送添加客户的回调。</p>
<dl>
  <dt>添加的成员</dt><dd>{}</dd>
  <dt>state</dt><dd>{}</dd>
  <dt>备注</dt><dd>{}</dd>
</dl>
<form method="post">
  <label>客户的 external_userid(留空则为一位新客户)<br>
  <input name="external_userid" maxlength="64" autocomplete="off"></label>
  <button>扫码添加</button>
</form>
</html>
"#,
        escape(leads_to.as_str()),
        escape(way.state.as_str()),
        escape(way.remark.as_str()),
    )
}
