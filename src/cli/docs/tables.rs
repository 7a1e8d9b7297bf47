//! `tables.md`: the database's dictionary, from the comments of its tables, views and columns.

use super::{
    Sources,
    configuration::columns,
    markdown::{Page, code},
};
use crate::tables::dictionary::{Column, Meaning, Relation};

pub(super) fn page(sources: &Sources) -> anyhow::Result<String> {
    let mut page = Page::new(sources, "tables.md", "Tables", "数据表");
    page.paragraph(sources.say(
        "Tables are in the schema `public`, views for reports in the schema `reporting`, whose names and columns stay as they are. Times are `timestamptz`; about people and contacts they are the event's own. Partitions are like their parent and are left out.",
        "数据表在 `public` 模式中;报表视图在 `reporting` 模式中,名称和列保持稳定。时间类型为 `timestamptz`;关于人和联系的表里,时间是事件自己的时间。分区与父表相同,不单独列出。",
    ));
    let (tables, views): (Vec<_>, Vec<_>) = sources.relations.iter().partition(|it| !it.is_view);
    for (heading, relations) in [(sources.say("Tables", "表"), tables), (sources.say("Views", "视图"), views)] {
        page.heading(2, heading);
        let head = columns(sources.say("name|one row is", "名称|一行是"));
        page.table(head, relations.iter().map(|it| [link(&it.name), meaning(sources, &it.meaning)]));
        for it in relations {
            relation(sources, &mut page, it);
        }
    }
    Ok(page.into_text())
}

fn relation(sources: &Sources, page: &mut Page, it: &Relation) {
    page.heading(3, &code(&it.name));
    page.paragraph(&meaning(sources, &it.meaning));
    let name = sources.say("column", "列");
    let (kind, null, means) =
        (sources.say("type", "类型"), sources.say("null", "可空"), sources.say("meaning", "含义"));
    if it.is_view {
        let rows = it.columns.iter().map(|it| [code(&it.name), it.kind.clone(), meaning(sources, &it.meaning)]);
        page.table([name, kind, means], rows);
    } else {
        let row = |it: &Column| {
            let nullable = if it.nullable { sources.say("yes", "是") } else { "" };
            [code(&it.name), it.kind.clone(), nullable.to_owned(), meaning(sources, &it.meaning)]
        };
        page.table([name, kind, null, means], it.columns.iter().map(row));
    }
}

fn meaning(sources: &Sources, it: &Meaning) -> String {
    sources.say(&it.english, &it.chinese).to_owned()
}

/// A link to the relation's heading on the page.
fn link(name: &str) -> String {
    format!("[`{name}`](#{})", name.replace('.', ""))
}
