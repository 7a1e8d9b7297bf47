//! Welcome messages: once per code, and within twenty seconds.

use serde_json::{Value, json};

use super::answer::Answer;
use super::ask::{Ask, Fields};
use super::refusal::{
    ALREADY_WELCOMED, ANOTHER_APP_WELCOMES, BAD_MEDIA_ID, BAD_PARAMETER, BAD_WELCOME_CODE, EMPTY_TEXT,
    MESSAGE_TOO_LONG, NO_WELCOME_CODE, Refusal,
};
use crate::sandbox::world::{Credential, WELCOME_LIFE_S, Welcomed, World, keep};

/// The longest text, in bytes.
const TEXT_BYTES_MAX: usize = 4000;

/// The most attachments.
const ATTACHMENTS_MAX: usize = 9;

/// The attachment types, and the field that names a file.
const ATTACHMENTS: [(&str, &str); 5] =
    [("image", "media_id"), ("link", ""), ("miniprogram", "pic_media_id"), ("video", "media_id"), ("file", "media_id")];

pub(super) fn send(world: &mut World, ask: &Ask, _: &Credential) -> Result<Answer, Refusal> {
    let fields = ask.fields();
    let code = fields.required("welcome_code", NO_WELCOME_CODE)?;
    let message = message(world, fields)?;
    let now = world.now();
    let conflict = world.welcome_conflicts > 0;
    let known = world.welcome_codes.get_mut(code).ok_or_else(|| Refusal::of(BAD_WELCOME_CODE))?;
    if known.used {
        return Err(Refusal::of(ALREADY_WELCOMED));
    }
    let after_s = now - known.issued_at;
    if after_s >= WELCOME_LIFE_S {
        return Err(Refusal::of(BAD_WELCOME_CODE));
    }
    if conflict {
        world.welcome_conflicts -= 1;
        return Err(Refusal::of(ANOTHER_APP_WELCOMES));
    }
    known.used = true;
    let (userid, external_userid) = (known.meaning.userid.clone(), known.meaning.external_userid.clone());
    keep(&mut world.welcomes, Welcomed { userid, external_userid, message, after_s, at: now });
    Ok(Answer::done())
}

/// The text and the attachments, if they are valid.
fn message(world: &World, fields: Fields<'_>) -> Result<Value, Refusal> {
    let text = fields.object("text")?.map(|text| text.text("content")).transpose()?.flatten();
    let attachments = fields.items("attachments")?.unwrap_or_default();
    if text.is_none() && attachments.is_empty() {
        return Err(Refusal::of(EMPTY_TEXT));
    }
    if text.is_some_and(|text| text.len() > TEXT_BYTES_MAX) {
        return Err(Refusal::of(MESSAGE_TOO_LONG));
    }
    if attachments.len() > ATTACHMENTS_MAX {
        return Err(Refusal::because(BAD_PARAMETER, "too many attachments"));
    }
    for attachment in &attachments {
        attached(world, fields.of(attachment))?;
    }
    Ok(json!({ "text": text, "attachments": attachments }))
}

fn attached(world: &World, attachment: Fields<'_>) -> Result<(), Refusal> {
    let bad = |what: &str| Refusal::because(BAD_PARAMETER, format_args!("attachments: {what}"));
    let msgtype = attachment.text("msgtype")?.ok_or_else(|| bad("msgtype is missing"))?;
    let (_, file) = ATTACHMENTS.iter().find(|(known, _)| *known == msgtype).ok_or_else(|| bad("unknown msgtype"))?;
    let content = attachment.object(msgtype)?.ok_or_else(|| bad("no content under the name of its msgtype"))?;
    match msgtype {
        "link" => {
            content.text("url")?.and(content.text("title")?).ok_or_else(|| bad("a link has a title and a url"))?;
            Ok(())
        }
        "image" if content.text("media_id")?.is_none() && content.text("pic_url")?.is_some() => Ok(()),
        _ => {
            let media_id = content.text(file)?.ok_or_else(|| bad("no file"))?;
            world.media.get(media_id, world.now()).map(|_| ()).ok_or_else(|| Refusal::of(BAD_MEDIA_ID))
        }
    }
}
