//! `cli.md`: every command with its arguments and options, from the command line's own description.
//!
//! A command's description is in both languages; its arguments and options are in English, as in `--help`.

use anyhow::Context;
use clap::{Arg, ArgAction, Command};

use super::{
    Sources,
    abouts::about,
    configuration::columns,
    markdown::{Page, code, codes},
};
use crate::{app::api::Language, cli::settings};

/// Names that clap adds to every command.
const ADDED: [&str; 2] = ["help", "version"];

pub(super) fn page(sources: &Sources) -> anyhow::Result<String> {
    let mut page = Page::new(sources, "cli.md", "The command line", "命令行");
    page.paragraph(sources.say(
        "Exit codes: 0 all is well, 1 something failed, 2 the command line or the configuration is wrong. Settings may also stand in the configuration file and in the environment ([configuration](configuration.md)); the command line wins.",
        "退出码:0 一切正常,1 有失败,2 命令行或配置有误。设置也可写在配置文件和环境变量中([配置](configuration.md)),命令行优先。参数和选项的说明与 `--help` 相同,为英文。",
    ));
    let mut whole = settings::command();
    whole.build();
    let commands: Vec<_> = whole.get_subcommands().filter(|it| !ADDED.contains(&it.get_name())).collect();
    let mut rows = Vec::new();
    for it in &commands {
        rows.push([code(&path(it)), said(sources, it)?]);
    }
    page.table(columns(sources.say("command|what it does", "命令|作用")), rows);
    for it in commands {
        section(sources, &mut page, it, 2)?;
    }
    Ok(page.into_text())
}

fn section(sources: &Sources, page: &mut Page, command: &Command, level: usize) -> anyhow::Result<()> {
    page.heading(level, &code(&path(command)));
    page.paragraph(&said(sources, command)?);
    let (own, shared): (Vec<_>, Vec<_>) =
        command.get_arguments().filter(|it| is_shown(it)).partition(|it| !it.is_global_set());
    let head = columns(sources.say("option|default|environment|meaning", "选项|默认值|环境变量|含义"));
    page.table(head, own.into_iter().map(row));
    if level == 2 && !shared.is_empty() {
        let settings = shared.iter().filter_map(|it| Some(format!("--{}", it.get_long()?)));
        page.paragraph(&format!("{}: {}", sources.say("Settings", "设置"), codes(settings)));
    }
    if let Some(after) = command.get_after_help() {
        page.listing("text", &after.to_string());
    }
    for it in command.get_subcommands().filter(|it| !ADDED.contains(&it.get_name())) {
        section(sources, page, it, level + 1)?;
    }
    Ok(())
}

/// An option's or argument's row: its form, its default, its variable, its help.
fn row(it: &Arg) -> [String; 4] {
    let defaults = it.get_default_values().iter().map(|it| it.to_string_lossy().into_owned());
    // A switch's default says nothing.
    let defaults = if takes_value(it) { codes(defaults) } else { String::new() };
    let variable = it.get_env().map(|it| code(&it.to_string_lossy())).unwrap_or_default();
    let help = it.get_help().map(ToString::to_string).unwrap_or_default();
    let allowed = it.get_possible_values();
    let allowed = if takes_value(it) && !allowed.is_empty() {
        format!(" [{}]", codes(allowed.iter().map(|it| it.get_name())))
    } else {
        String::new()
    };
    [code(&written(it)), defaults, variable, format!("{help}{allowed}")]
}

fn written(it: &Arg) -> String {
    let values: Vec<_> = it.get_value_names().into_iter().flatten().map(|it| format!("<{it}>")).collect();
    let values = values.join(" ");
    let may_be_left_out = it.get_num_args().is_some_and(|it| it.min_values() == 0) && takes_value(it);
    let values = if may_be_left_out { format!("[{values}]") } else { values };
    match it.get_long() {
        Some(long) if takes_value(it) => format!("--{long} {values}").trim_end().to_owned(),
        Some(long) => format!("--{long}"),
        None if values.is_empty() => format!("<{}>", it.get_id().as_str().to_uppercase()),
        None => values,
    }
}

fn takes_value(it: &Arg) -> bool {
    matches!(it.get_action(), ArgAction::Set | ArgAction::Append)
}

fn is_shown(it: &Arg) -> bool {
    !it.is_hide_set() && !ADDED.contains(&it.get_id().as_str())
}

/// The command's full name: `wecomd token create`.
fn path(command: &Command) -> String {
    command.get_bin_name().unwrap_or_else(|| command.get_name()).to_owned()
}

/// A command's description.
fn said(sources: &Sources, command: &Command) -> anyhow::Result<String> {
    match sources.language {
        Language::English => Ok(command.get_about().map(ToString::to_string).unwrap_or_default()),
        Language::Chinese => {
            let path = path(command);
            Ok(about(&path).with_context(|| format!("`{path}` is not described in Chinese"))?.to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::docs::abouts::ABOUTS;

    #[test]
    fn every_command_is_described_in_chinese_and_no_other() {
        fn collect(command: &Command, found: &mut Vec<String>) {
            for it in command.get_subcommands().filter(|it| !ADDED.contains(&it.get_name())) {
                found.push(path(it));
                collect(it, found);
            }
        }
        let mut whole = settings::command();
        whole.build();
        let mut commands = Vec::new();
        collect(&whole, &mut commands);
        commands.sort();
        let mut described: Vec<_> = ABOUTS.iter().map(|(path, _)| (*path).to_owned()).collect();
        described.sort();
        assert_eq!(commands, described);
    }
}
