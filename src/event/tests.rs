//! Parses every fixture, and many inputs that are not fixtures.
//!
//! Input is `fixtures/callbacks` and `fixtures/pulled`: plaintexts with made-up ids, at least one for each event, and the difficult
//! variants. A new fixture needs a line in [`FIXTURES`].

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;

use super::{parse_callback as parse, *};

/// Every fixture as `(file, plaintext)`, in the order of their names.
fn fixtures() -> Vec<(String, Vec<u8>)> {
    files("fixtures/callbacks")
}

fn files(folder: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = fs::read_dir(folder).expect("the fixtures").map(|file| file.expect("a fixture"));
    let mut fixtures: Vec<_> = files
        .map(|file| {
            let name = file.file_name().into_string().expect("a name");
            (name, fs::read(file.path()).expect("a plaintext"))
        })
        .collect();
    fixtures.sort();
    fixtures
}

fn fixture(name: &str) -> Callback {
    let found = fixtures().into_iter().find(|(file, _)| file == name);
    parse(&found.expect("a fixture").1).expect("a callback")
}

/// The variant's name, as `Debug` begins with it.
fn variant(event: &Event) -> String {
    format!("{event:?}").chars().take_while(char::is_ascii_alphanumeric).collect()
}

#[test]
fn every_fixture_has_its_name_and_its_event() {
    let pulled = files("fixtures/pulled").into_iter().map(|(file, plaintext)| (file, plaintext, Origin::Kf));
    let called = fixtures().into_iter().map(|(file, plaintext)| (file, plaintext, Origin::Callback));
    let read = called.chain(pulled).map(|(file, plaintext, origin)| {
        let callback = super::parse(&plaintext, origin).unwrap_or_else(|error| panic!("{file}: {error}"));
        format!("{file} → {} → {}", callback.head.name, variant(&callback.event))
    });
    let read: Vec<String> = read.collect();
    let expected: Vec<&str> = FIXTURES.trim().lines().collect();
    assert_eq!(read.join("\n"), expected.join("\n"));
}

#[test]
fn every_event_has_a_fixture() {
    let declared = include_str!("mod.rs").split_once("pub enum Event {").expect("the events").1;
    let declared = declared.split_once("\n}").expect("the end of the events").0;
    let variants = declared
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase()));
    let variants: BTreeSet<&str> =
        variants.filter_map(|line| line.split(|letter: char| !letter.is_ascii_alphanumeric()).next()).collect();
    let covered: BTreeSet<&str> = FIXTURES.trim().lines().filter_map(|line| line.rsplit(" → ").next()).collect();
    assert!(variants.contains("CustomerAdded"));
    // What is pulled is no callback.
    let pulled = BTreeSet::from(["Archived"]);
    assert_eq!(covered, &variants - &pulled);
}

#[test]
fn every_fixture_of_an_app_or_a_notice_says_when_it_happened() {
    for (file, plaintext) in fixtures() {
        // A robot's messages, the hardware cloud and payments have no time in seconds in their head.
        let timeless = ["aibot_", "hardware_", "payment_"].iter().any(|family| file.starts_with(family));
        let at = parse(&plaintext).expect("a callback").head.at;
        assert!(timeless || at.is_some(), "{file}");
    }
    assert!(fixture("aibot_event_enter_chat.json").head.at.is_some());
}

#[test]
fn one_event_reads_the_same_in_every_shape() {
    let shapes = ["del_follow_user.xml", "del_follow_user_in_lower_case_json.json", "notice_del_follow_user.xml"];
    let expected = Event::CustomerLost(CustomerLost {
        user: "chen.m".into(),
        customer: "woEXAMPLE000000000000000000000001".into(),
    });
    for shape in shapes {
        assert_eq!(fixture(shape).event, expected, "{shape}");
    }
}

#[test]
fn the_head_is_read_in_each_family_of_callbacks() {
    let heads = [
        ("text.xml", Some("ww00000000000000aa"), Some("1000002")),
        ("text_with_empty_agent.xml", Some("ww00000000000000aa"), None),
        ("add_external_contact_pretty_cdata.xml", Some("ww00000000000000aa"), None),
        ("taskcard_click.xml", Some("ww00000000000000aa"), Some("1000002")),
        ("cancel_auth.xml", Some("wpEXAMPLE00000000000000000000aa"), None),
        ("suite_ticket.xml", None, None),
        ("hardware_event.json", Some("ww00000000000000aa"), None),
        ("aibot_text.json", None, None),
    ];
    for (file, corpid, agentid) in heads {
        let head = fixture(file).head;
        assert_eq!((head.corpid.as_ref().map(|id| id.as_str()), head.agentid.as_deref()), (corpid, agentid), "{file}");
    }
    let at = fixture("add_external_contact_pretty_cdata.xml").head.at;
    assert_eq!(at.map(|at| at.timestamp()), Some(1_700_000_500));
}

#[test]
fn text_keeps_every_blank_and_sign_that_was_typed() {
    let texts = [
        ("text_with_emoji_and_markup.xml", "  好的 😀👍\n<b>1 < 2 && 3</b> \n"),
        ("text_split_in_sections.xml", "a]]>b &amp; <c> 中文"),
        ("text_in_json.json", " 你好 🌱"),
    ];
    for (file, expected) in texts {
        let Event::Message(message) = fixture(file).event else { panic!("{file}") };
        assert_eq!(message.body, MessageBody::Text { content: expected.to_owned() }, "{file}");
    }
}

#[test]
fn lists_inside_events_are_read_whole() {
    let Event::CustomerService(accounts) = fixture("kf_account_auth_change.xml").event else { panic!("accounts") };
    let expected = CustomerService::AccountsChanged {
        added: vec!["wkEXAMPLE0001".to_owned(), "wkEXAMPLE0002".to_owned()],
        removed: vec!["wkEXAMPLE0003".to_owned()],
    };
    assert_eq!(accounts, expected);
    let Event::School(school) = fixture("notice_school_batch.xml").event else { panic!("a school") };
    assert_eq!(
        school.entries.iter().map(|entry| entry.change.as_str()).collect::<Vec<_>>(),
        ["create_student", "update_student"]
    );
    let Event::AppInteraction(used) = fixture("template_card_event.xml").event else { panic!("a card") };
    let Action::UsedCard { selected, .. } = used.action else { panic!("a card") };
    assert_eq!(selected.iter().map(|it| it.options.join("+")).collect::<Vec<_>>(), ["a+b", "c"]);
    let Event::AppInteraction(sent) = fixture("pic_sysphoto.xml").event else { panic!("pictures") };
    assert!(matches!(sent.action, Action::SentPictures { md5s } if md5s.len() == 2));
    let Event::Robot(robot) = fixture("aibot_event_feedback_event.json").event else { panic!("a robot") };
    assert!(matches!(robot.body, RobotBody::Feedback { reasons, .. } if reasons == ["2", "4"]));
    let Event::Payment(paid) = fixture("payment_transaction_success.json").event else { panic!("a payment") };
    assert_eq!(paid.created_at.map(|at| at.timestamp()), Some(1_700_000_900));
}

#[test]
fn a_plaintext_cut_short_is_refused_wherever_it_is_cut() {
    for (file, plaintext) in fixtures() {
        for end in 0..plaintext.trim_ascii_end().len() {
            let result = parse(plaintext.get(..end).unwrap_or_default());
            assert!(matches!(result, Err(ParseError::Document(_))), "{file} cut at {end}");
        }
    }
}

#[test]
fn bytes_that_are_not_utf8_are_refused() {
    assert!(parse(b"<xml>\xff</xml>").is_ok_and(|it| it.repaired && it.event == Event::Unknown));
    assert_eq!(parse(b""), Err(ParseError::Document(DocumentError::Empty)));
}

proptest! {
    #[test]
    fn no_bytes_make_parsing_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&bytes);
        let _ = parse(&[b"<xml>".as_slice(), &bytes, b"</xml>"].concat());
    }

    #[test]
    fn a_damaged_fixture_gives_an_error_or_a_callback_with_a_name_that_can_be_printed(
        which in any::<Index>(),
        edits in proptest::collection::vec((any::<Index>(), any::<u8>()), 1..8),
    ) {
        let fixtures = fixtures();
        let mut bytes = which.get(&fixtures).1.clone();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes.splice(at..at, [byte]);
        }
        if let Ok(callback) = parse(&bytes) {
            prop_assert!(callback.head.name.len() <= NAME_BYTES_MAX);
            prop_assert!(callback.head.name.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()));
        }
    }
}

/// File, name and event of every fixture.
const FIXTURES: &str = "
acquisition_balance_low.xml → customer_acquisition/balance_low → Acquisition
acquisition_customer_start_chat.xml → customer_acquisition/customer_start_chat → Acquisition
acquisition_delete_link.xml → customer_acquisition/delete_link → Acquisition
acquisition_friend_request.xml → customer_acquisition/friend_request → Acquisition
acquisition_message_from_customer.xml → customer_acquisition/message_from_customer → Acquisition
acquisition_quota_expire_soon.xml → customer_acquisition/quota_expire_soon → Acquisition
add_external_contact.xml → change_external_contact/add_external_contact → CustomerAdded
add_external_contact_in_json.json → change_external_contact/add_external_contact → CustomerAdded
add_external_contact_one_line.xml → change_external_contact/add_external_contact → CustomerAdded
add_external_contact_pretty_cdata.xml → change_external_contact/add_external_contact → CustomerAdded
add_external_contact_without_state.xml → change_external_contact/add_external_contact → CustomerAdded
add_half_external_contact.xml → change_external_contact/add_half_external_contact → CustomerAdded
advanced_api_expired.xml → advanced_api_expired → Suite
agree_external_userid_migration.xml → agree_external_userid_migration → Suite
aibot_event_enter_chat.json → aibot/event/enter_chat → Robot
aibot_event_feedback_event.json → aibot/event/feedback_event → Robot
aibot_event_of_tomorrow.json → aibot/event/wave → Unknown
aibot_event_template_card_event.json → aibot/event/template_card_event → Robot
aibot_file.json → aibot/file → Robot
aibot_image.json → aibot/image → Robot
aibot_mixed.json → aibot/mixed → Robot
aibot_stream.json → aibot/stream → Robot
aibot_text.json → aibot/text → Robot
aibot_text_with_quote.json → aibot/text → Robot
aibot_voice.json → aibot/voice → Robot
app_email_change.xml → app_email_change/receive_email → Mail
auto_activate.xml → auto_activate → Suite
batch_job_result.xml → batch_job_result → Job
book_meeting_room.xml → book_meeting_room → MeetingRoom
cancel_auth.xml → cancel_auth → Suite
cancel_meeting_room.xml → cancel_meeting_room → MeetingRoom
cancel_special_auth.xml → cancel_special_auth → Suite
chain_corp_join.xml → change_chain/corp_join → Chain
change_app_admin.xml → change_app_admin → AppLifecycle
change_auth.xml → change_auth → Suite
change_domain_ip.xml → security/change_domain_ip → PlatformAddressesChanged
change_edition_misspelled.xml → change_edition → Suite
change_external_contact_of_tomorrow.xml → change_external_contact/praise_external_contact → Unknown
change_order.xml → change_order → Suite
chat_archive_audit_approved_single.xml → chat_archive_audit_approved_single → Suite
click.xml → click → AppInteraction
conversation_new_message.xml → conversation_new_message → Suite
corp_arch_auth.xml → corp_arch_auth → Suite
create_auth.xml → create_auth → Suite
create_party.xml → change_contact/create_party → Department
create_user.xml → change_contact/create_user → MemberCreated
create_user_of_a_newer_url.xml → change_contact/create_user → MemberCreated
customer_acquisition_permit_change.xml → customer_acquisition_permit_change → Suite
del_external_contact.xml → change_external_contact/del_external_contact → CustomerDeleted
del_external_contact_by_transfer.xml → change_external_contact/del_external_contact → CustomerDeleted
del_follow_user.xml → change_external_contact/del_follow_user → CustomerLost
del_follow_user_in_lower_case_json.json → change_external_contact/del_follow_user → CustomerLost
delete_doc.xml → doc_change/delete_doc → Document
delete_party.xml → change_contact/delete_party → Department
delete_user.xml → change_contact/delete_user → MemberDeleted
device_checkin_data_report.xml → device_checkin_data_report → Device
edit_external_contact.xml → change_external_contact/edit_external_contact → CustomerEdited
enter_agent.xml → enter_agent → AppInteraction
external_chat_add_member.xml → change_external_chat/update → Group
external_chat_change_owner.xml → change_external_chat/update → Group
external_chat_create.xml → change_external_chat/create → Group
external_chat_del_member.xml → change_external_chat/update → Group
external_chat_dismiss.xml → change_external_chat/dismiss → Group
external_tag_create.xml → change_external_tag/create → CorpTag
external_tag_delete.xml → change_external_tag/delete → CorpTag
external_tag_shuffle.xml → change_external_tag/shuffle → CorpTag
external_tag_update.xml → change_external_tag/update → CorpTag
file.xml → file → Message
finish_vip_account_approval.xml → finish_vip_account_approval → AccountApproval
form_complete.xml → doc_change/form_complete → Document
hardware_event.json → hardware/event → Device
image.xml → image → Message
inactive_alert.xml → inactive_alert → AppLifecycle
join_meeting.xml → meeting_change/join_meeting → Meeting
kf_account_auth_change.xml → kf_account_auth_change → CustomerService
kf_msg_or_event.xml → kf_msg_or_event → CustomerService
license_pay_success.xml → license_pay_success → Suite
link.xml → link → Message
link_without_picture.xml → link → Message
living_status_change.xml → living_status_change → Living
location.xml → location → Message
location_reported.xml → LOCATION → AppInteraction
location_select.xml → location_select → AppInteraction
low_active.xml → low_active → AppLifecycle
meeting_medium_upload.xml → meeting_change/medium_upload → Meeting
meeting_role_change.xml → meeting_change/role_change → Meeting
message_of_tomorrow.xml → hologram → Unknown
modify_calendar.xml → modify_calendar → Calendar
msg_audit_approved.xml → change_external_contact/msg_audit_approved → ArchiveConsented
msgaudit_notify.xml → msgaudit_notify → ArchiveNotify
no_discriminator.xml → unknown → Unknown
notice_acquisition_misspelled.xml → customer_acquisition/service_balance_consumed → Acquisition
notice_add_external_contact.xml → change_external_contact/add_external_contact → CustomerAdded
notice_add_external_contact_of_the_acquisition_component.xml → change_external_contact/add_external_contact → Acquisition
notice_batch_job_result.xml → batch_job_result → Job
notice_create_user.xml → change_contact/create_user → MemberCreated
notice_del_follow_user.xml → change_external_contact/del_follow_user → CustomerLost
notice_delete_user.xml → change_contact/delete_user → MemberDeleted
notice_device_data_auth_change.xml → device_data_auth_change → Device
notice_of_tomorrow.xml → moon_landing → Unknown
notice_school_batch.xml → change_school_contact_batch → School
notice_share_agent_change.xml → share_agent_change → AppLifecycle
open_approval_change.xml → open_approval_change → Approval
open_order.xml → open_order → Suite
payment_refund_success.xml → payment/REFUND/REFUND.SUCCESS → Payment
payment_transaction_success.json → payment/NORMALPAY/TRANSACTION.SUCCESS → Payment
pic_sysphoto.xml → pic_sysphoto → AppInteraction
program_notify.xml → program_notify → AppInteraction
public_email_change.xml → public_email_change/receive_email → Mail
register_corp.xml → register_corp → Suite
reset_permanent_code.xml → reset_permanent_code → Suite
respond_schedule.xml → respond_schedule → Calendar
scancode_push.xml → scancode_push → AppInteraction
scancode_waitmsg.xml → scancode_waitmsg → AppInteraction
school_create_student.xml → change_school_contact/create_student → School
school_department_misspelled.xml → change_school_contact/create_department → School
school_subscribe.xml → change_school_contact/subscribe → School
school_update_parent_in_json.json → change_school_contact/update_parent → School
share_agent_change.xml → share_agent_change → AppLifecycle
smart_sheet_add_field_misspelled.xml → smart_sheet_change/add_field → Document
smart_sheet_update_record.xml → smart_sheet_change/update_record → Document
start_meeting.xml → meeting_statistics/start_meeting → Meeting
submit_vip_account_approval.xml → submit_vip_account_approval → AccountApproval
subscribe.xml → subscribe → MemberSubscribed
suite_ticket.xml → suite_ticket → Suite
switch_workbench_mode.xml → switch_workbench_mode → AppInteraction
sys_approval_change.xml → sys_approval_change → Approval
taskcard_click.xml → taskcard_click → AppInteraction
template_card_event.xml → template_card_event → AppInteraction
template_card_menu_event.xml → template_card_menu_event → AppInteraction
text.xml → text → Message
text_in_json.json → text → Message
text_split_in_sections.xml → text → Message
text_with_emoji_and_markup.xml → text → Message
text_with_empty_agent.xml → text → Message
text_without_agent.xml → text → Message
transfer_fail.xml → change_external_contact/transfer_fail → TransferFailed
transfer_fail_successor_full.xml → change_external_contact/transfer_fail → TransferFailed
unlicensed_notify.xml → unlicensed_notify → AppInteraction
unsubscribe.xml → unsubscribe → MemberUnsubscribed
update_party.xml → change_contact/update_party → Department
update_tag.xml → change_contact/update_tag → Tag
update_user.xml → change_contact/update_user → MemberUpdated
update_user_cleared_fields.xml → change_contact/update_user → MemberUpdated
update_user_left.xml → change_contact/update_user → MemberUpdated
upload_media_job_finish.xml → upload_media_job_finish → Job
video.xml → video → Message
view.xml → view → AppInteraction
view_miniprogram.xml → view_miniprogram → AppInteraction
voice.xml → voice → Message
wedrive_create_file.xml → wedrive_file_change/create_file → Drive
wedrive_dismiss_space.xml → wedrive_space_change/dismiss_space → Drive
wedrive_insufficient_capacity.xml → wedrive_insufficient_capacity → Drive
kf_enter_session.json → kf/event/enter_session → KfEvent
kf_event_of_tomorrow.json → kf/event/wave → Unknown
kf_text.json → kf/text → KfMessage
";
