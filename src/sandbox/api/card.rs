//! Template cards: which parts each kind must have.
//!
//! The platform has an errcode for each flaw; here one stands for all, with the flaw in words.

use serde_json::Value;

use super::ask::Fields;
use super::refusal::{BAD_CARD, Refusal};

/// The message type that carries a card.
pub(super) const MSGTYPE: &str = "template_card";

/// The most buttons and lists, and the longest task id in bytes.
const BUTTONS_MAX: usize = 6;
const LISTS_MAX: usize = 3;
const TASK_ID_BYTES_MAX: usize = 128;

/// The kinds whose buttons come back as callbacks.
const INTERACTIVE: [&str; 3] = ["button_interaction", "vote_interaction", "multiple_interaction"];

/// Whether somebody can click on it, so that its sender gets a response code.
pub(super) fn is_interactive(card: &Value) -> bool {
    let kind = card.get("card_type").and_then(Value::as_str).unwrap_or_default();
    INTERACTIVE.contains(&kind) || card.get("action_menu").is_some()
}

/// Whether a card has what its kind needs.
pub(super) fn check(card: Fields<'_>) -> Result<(), Refusal> {
    let needs = |there: bool, what: &str| {
        if there { Ok(()) } else { Err(Refusal::because(BAD_CARD, format_args!("{what} is missing or invalid"))) }
    };
    let title = card.object("main_title")?.map(|it| it.text("title")).transpose()?.flatten();
    let action = card.object("card_action")?.map(|it| it.number("type")).transpose()?.flatten();
    let has_action = matches!(action, Some(1 | 2));
    let items = |name: &str, max: usize| {
        let count = card.items(name)?.map_or(0, |items| items.len());
        Ok::<_, Refusal>((1..=max).contains(&count))
    };
    match card.text("card_type")?.unwrap_or_default() {
        "text_notice" => {
            needs(title.or(card.text("sub_title_text")?).is_some(), "main_title.title or sub_title_text")?;
            needs(has_action, "card_action")?;
        }
        "news_notice" => {
            needs(title.is_some(), "main_title.title")?;
            needs(has_action, "card_action")?;
            let picture = card.object("card_image")?.or(card.object("image_text_area")?);
            needs(picture.is_some(), "card_image")?;
        }
        "button_interaction" => {
            needs(title.is_some(), "main_title.title")?;
            needs(items("button_list", BUTTONS_MAX)?, "button_list")?;
        }
        "vote_interaction" => {
            needs(title.is_some(), "main_title.title")?;
            needs(card.object("checkbox")?.is_some(), "checkbox")?;
            needs(card.object("submit_button")?.is_some(), "submit_button")?;
        }
        "multiple_interaction" => {
            needs(title.is_some(), "main_title.title")?;
            needs(items("select_list", LISTS_MAX)?, "select_list")?;
            needs(card.object("submit_button")?.is_some(), "submit_button")?;
        }
        _ => needs(false, "card_type")?,
    }
    let task_id = card.text("task_id")?;
    let well_made = |id: &str| {
        id.len() <= TASK_ID_BYTES_MAX && id.bytes().all(|it| it.is_ascii_alphanumeric() || b"_-@".contains(&it))
    };
    needs(task_id.is_none_or(well_made) && (task_id.is_some() || !is_interactive(card.value())), "task_id")
}
