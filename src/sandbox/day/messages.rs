//! What members send to the app from their rounds: texts, photos, voice, video, places and links.

use super::cast::opaque;
use super::scene::Story;
use super::wire::{Xml, head};
use crate::sandbox::chance::Chance;
use crate::sandbox::push::{AppKind, Push};

/// The characters of a media id.
const MEDIA_ID_CHARS: usize = 64;

/// The largest step between two message numbers.
const MESSAGE_NUMBER_STEP_MAX: u32 = 50_000;

/// What members write. `{客户}` and the other names in braces are filled in.
const TEXTS: [&str; 24] = [
    "已到{地点}，准备进场",
    "{地点} {客户}家{电器}{故障}，已断电检查",
    "{客户}报修：{电器}{故障}，约今天{时间}上门",
    "{客户}那边改到{时间}了，麻烦改下工单",
    "{电器}已修好，更换{配件}，收费{金额}元，{客户}已签字",
    "{配件}没货了，仓库今天能补吗？{客户}等着用",
    "{地点}进不去，物业要登记，请客服联系{客户}",
    "打{客户}电话没人接，已在楼下等 20 分钟",
    "{客户}想要发票，抬头已拍照",
    "{客户}问{电器}整机保修还剩多久，帮查一下",
    "报价{金额}元，{客户}说考虑一下，明天回复",
    "{客户}同意报价 {金额} 元，已收定金，安排{时间}施工",
    "漏水点找到了，在{地点}厨房吊顶里，需要两个人 👷",
    "师傅，{地点}的梯子谁拿走了？",
    "今天第 3 单完成✅ 下一单{地点}",
    "{客户}投诉上次{电器}没修好，又{故障}了，请派老师傅",
    "现场和图纸不一样，{地点}的管子是 DN20，先停一下",
    "{客户}加微信了，备注好了，单子在她名下",
    "收到",
    "好的，{时间}到",
    "辛苦了 🙏 {客户}很满意，给了好评",
    "{电器}型号 KFR-35GW，铭牌照片马上发，故障代码 E<4> & F1",
    "验收单已上传，{客户}家阳台防水 48 小时闭水合格",
    "路上堵车，{地点}大概晚 15 分钟，已和{客户}说过",
];

const PLACES: [&str; 8] = [
    "阳光花园3栋2单元501",
    "翠竹苑12栋1204",
    "海湾国际A座2306",
    "锦绣江南7栋3单元602",
    "南山科技园B2栋4楼",
    "福田CBD中心城1901",
    "莲花北村18栋302",
    "西丽新村5巷9号",
];
const APPLIANCES: [&str; 8] = ["空调", "燃气热水器", "洗衣机", "冰箱", "油烟机", "净水器", "智能马桶", "地暖"];
const FAULTS: [&str; 8] = ["不制冷", "漏水", "点不着火", "跳闸", "异响很大", "排水不畅", "显示E4", "遥控没反应"];
const PARTS: [&str; 6] = ["压缩机电容", "进水阀", "点火针", "主控板", "密封圈", "排水泵"];
const TIMES: [&str; 5] = ["10点半", "下午两点", "三点到四点之间", "五点前", "明早九点"];
const LINKS: [(&str, &str); 3] =
    [("空调清洗报价单", "按台计价，含内外机"), ("燃气安全自查表", "请客户签字"), ("施工验收标准", "2024 版")];

/// Some member sends something.
pub(super) fn say(story: &mut Story, at: i64) -> Option<Push> {
    let staff = story.somebody()?;
    story.message_number += u64::from(story.chance.between(1, MESSAGE_NUMBER_STEP_MAX));
    let from = story.staff.get(staff)?.id.clone();
    let kind = story.chance.pick(&["text", "text", "text", "text", "text", "image", "image", "voice", "location"]);
    let kind = if story.chance.happens(0.05) { story.chance.pick(&["link", "video"]) } else { kind };
    let style = if story.chance.happens(0.5) { Xml::new() } else { Xml::on_lines() };
    let start = head(style, &story.corpid, from.as_str(), at, kind);
    let body = match kind {
        "image" => photo(&mut story.chance, start),
        "voice" => media(&mut story.chance, start).cdata("Format", "amr"),
        "video" => {
            let thumb = opaque(&mut story.chance, "", MEDIA_ID_CHARS);
            media(&mut story.chance, start).cdata("ThumbMediaId", thumb)
        }
        "location" => place(&mut story.chance, start),
        "link" => link(&mut story.chance, start),
        _ => start.cdata("Content", text(story)),
    };
    let content = body.plain("MsgId", story.message_number).plain("AgentID", &story.agentid);
    Some(Push::genuine(AppKind::App, content.document()))
}

/// One of the texts with its gaps filled.
fn text(story: &mut Story) -> String {
    let customer = story
        .some_tie(true)
        .and_then(|tie| story.customers.get(story.ties.get(tie)?.customer))
        .map_or_else(|| "张女士".to_owned(), |customer| format!("{}（{}）", customer.nickname, customer.business_id));
    let chance = &mut story.chance;
    let price = chance.between(8, 260) * 10;
    chance
        .pick(&TEXTS)
        .replace("{客户}", &customer)
        .replace("{地点}", chance.pick(&PLACES))
        .replace("{电器}", chance.pick(&APPLIANCES))
        .replace("{故障}", chance.pick(&FAULTS))
        .replace("{配件}", chance.pick(&PARTS))
        .replace("{时间}", chance.pick(&TIMES))
        .replace("{金额}", &price.to_string())
}

fn media(chance: &mut Chance, start: Xml) -> Xml {
    start.cdata("MediaId", opaque(chance, "", MEDIA_ID_CHARS))
}

fn photo(chance: &mut Chance, start: Xml) -> Xml {
    let name = opaque(chance, "", 24);
    media(chance, start.cdata("PicUrl", format_args!("https://example.com/pic/{name}/0")))
}

/// Somewhere in Shenzhen.
fn place(chance: &mut Chance, start: Xml) -> Xml {
    let (latitude, longitude) = (chance.between(510_000, 590_000), chance.between(920_000, 1_120_000));
    start
        .plain("Location_X", format_args!("22.{latitude}"))
        .plain("Location_Y", format_args!("{}.{:06}", 113 + longitude / 1_000_000, longitude % 1_000_000))
        .plain("Scale", 16)
        .cdata("Label", chance.pick(&PLACES))
        .cdata("AppType", "wxwork")
}

fn link(chance: &mut Chance, start: Xml) -> Xml {
    let (title, description) = LINKS.get(chance.below(LINKS.len())).copied().unwrap_or_default();
    let name = opaque(chance, "", 12);
    start
        .cdata("Title", title)
        .cdata("Description", description)
        .cdata("Url", format_args!("https://example.com/doc/{name}"))
        .cdata("PicUrl", "https://example.com/doc/cover.png")
}
