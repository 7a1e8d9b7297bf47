//! Forms of the 审批 app through the API.

use serde_json::{Value, json};

use super::answer::Answer;
use super::ask::Ask;
use super::refusal::{NO_FORM, Refusal};
use crate::sandbox::world::{Credential, Form, World};

pub(super) fn detail(world: &mut World, ask: &Ask, _: &Credential) -> Result<Answer, Refusal> {
    let number = ask.fields().required("sp_no", NO_FORM)?;
    let form = world.forms.iter().find(|it| it.number == number).ok_or_else(|| Refusal::of(NO_FORM))?;
    Ok(Answer::of(json!({ "info": described(form) })))
}

fn described(form: &Form) -> Value {
    let control = |(place, (title, at)): (usize, &(String, i64))| {
        json!({
            "control": "Date", "id": format!("Date-{place}"), "title": [{ "text": title, "lang": "zh_CN" }],
            "value": { "date": { "type": "day", "s_timestamp": at.to_string() } },
        })
    };
    let reason = json!({
        "control": "Textarea", "id": "Textarea-1", "title": [{ "text": "离职原因", "lang": "zh_CN" }],
        "value": { "text": "个人原因" },
    });
    let contents: Vec<Value> = std::iter::once(reason).chain(form.days.iter().enumerate().map(control)).collect();
    json!({
        "sp_no": form.number,
        "sp_name": "离职申请",
        "sp_status": form.status,
        "template_id": form.template_id,
        "applyer": { "userid": form.applicant, "partyid": "1" },
        "apply_data": { "contents": contents },
    })
}
