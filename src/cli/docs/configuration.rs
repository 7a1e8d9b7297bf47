//! `configuration.md`: every setting with its default, its meaning, and where it can be set.

use super::{
    Sources,
    markdown::{Page, code},
};
use crate::{
    cli::settings,
    config::{self, Setting, VARIABLES, ValueKind},
};

pub(super) fn page(sources: &Sources) -> anyhow::Result<String> {
    let mut page = Page::new(sources, "configuration.md", "Configuration", "配置");
    page.paragraph(sources.say(
        "A setting has its default, unless the file `wecomd.toml` (or the one that `--config` names) says otherwise, unless the environment says otherwise, unless the command line does. An unknown name is an error that says where it stands, and the exit code is 2. `wecomd.example.toml` is a file to begin with.",
        "每项设置都有默认值;文件 `wecomd.toml`(或 `--config` 指定的文件)优先于默认值,环境变量优先于文件,命令行优先于环境变量。写错的名称会报错并指出位置,退出码为 2。`wecomd.example.toml` 可作为起点。",
    ));
    let settings = config::settings();
    let mut sections: Vec<&str> = settings.iter().map(|it| it.section.as_str()).collect();
    sections.dedup();
    for section in sections {
        let heading = match section {
            "" => sources.say("Outside of sections", "不属于任何一节").to_owned(),
            section => format!("`[{section}]`"),
        };
        page.heading(2, &heading);
        let head = sources.say("setting|environment|type|default|meaning", "设置|环境变量|类型|默认值|含义");
        let rows = settings.iter().filter(|it| it.section == section).map(|it| row(sources, it));
        page.table(columns(head), rows);
    }
    page.heading(2, sources.say("On the command line", "命令行"));
    page.paragraph(sources.say("Several commands take these settings.", "多个命令接受以下设置。"));
    let flags = settings.iter().filter_map(|it| Some([code(&it.path), code(&flag(&it.path)?)]));
    page.table([sources.say("setting", "设置"), sources.say("option", "选项")], flags);
    page.heading(2, sources.say("Other environment variables", "其他环境变量"));
    let variables = VARIABLES.iter().map(|it| [code(it.name), sources.say(it.english, it.chinese).to_owned()]);
    page.table([sources.say("variable", "变量"), sources.say("meaning", "含义")], variables);
    Ok(page.into_text())
}

fn row(sources: &Sources, it: &Setting) -> [String; 5] {
    let kind = match (it.kind, &it.range) {
        (ValueKind::Number, Some(range)) => {
            format!("{} {}–{}", sources.say("number,", "数字,"), range.start(), range.end())
        }
        (ValueKind::Number, None) => sources.say("number", "数字").to_owned(),
        (ValueKind::Switch, _) => sources.say("`true` or `false`", "`true` 或 `false`").to_owned(),
        (ValueKind::Text, _) => sources.say("text", "文本").to_owned(),
        (ValueKind::List, _) => {
            sources.say("list; in the environment with commas", "列表;环境变量中以逗号分隔").to_owned()
        }
    };
    let default = match it.default.as_str() {
        "\"\"" | "[]" => sources.say("empty", "空").to_owned(),
        default => code(default),
    };
    [code(&it.path), code(&it.variable), kind, default, sources.say(it.english, it.chinese).to_owned()]
}

/// The command line option for the setting, if there is one.
fn flag(path: &str) -> Option<String> {
    let command = settings::command();
    let argument = command.get_arguments().find(|it| it.get_id() == path)?;
    Some(format!("--{}", argument.get_long()?))
}

/// The heads of a table, given as one text separated by `|`.
pub(super) fn columns<const N: usize>(heads: &str) -> [&str; N] {
    let mut heads = heads.split('|');
    std::array::from_fn(|_| heads.next().unwrap_or_default())
}
