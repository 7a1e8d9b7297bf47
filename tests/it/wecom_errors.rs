//! What WeCom's errcodes make the client do, one by one, over real sockets.

use std::time::Duration;

use wecomd::{
    sandbox::Fault,
    wecom::{ApiError, Class},
};

use crate::support::wecom::{another_wecom, app_with_wecom, calls, somebody};

/// Codes that mean the same, and what follows from them.
pub(crate) struct Kind {
    pub(crate) class: Class,
    /// Not before so many seconds; none if there is no such limit.
    pub(crate) pause_s: Option<u64>,
    pub(crate) codes: &'static [i64],
    /// A text that the explanation or the advice must contain.
    words: &'static str,
}

const fn transient(codes: &'static [i64], words: &'static str) -> Kind {
    Kind { class: Class::Transient, pause_s: None, codes, words }
}

const fn limited(pause_s: u64, codes: &'static [i64], words: &'static str) -> Kind {
    Kind { class: Class::Transient, pause_s: Some(pause_s), codes, words }
}

const fn refused(codes: &'static [i64], words: &'static str) -> Kind {
    Kind { class: Class::Refused, pause_s: None, codes, words }
}

/// Every code that WeCom's documents give a meaning which asks for more than reading it.
pub(crate) const KINDS: &[Kind] = &[
    // Retry soon.
    transient(&[-1, 6000, 41063, 41079, 2_000_111, 2_000_141], "WeCom is busy"),
    transient(&[45035], "changing the same data"),
    transient(&[41096], "another app is greeting"),
    transient(&[81026], "maintenance"),
    limited(5, &[45033], "wecom.concurrency"),
    // Throttled.
    limited(60, &[45009], "called too often"),
    limited(60, &[45036], "unofficial WeCom clients"),
    limited(60, &[41094], "tomorrow"),
    // The token, and the ticket that pages are signed with: nothing of ours signs any, so its codes are refusals.
    Kind { class: Class::Token, pause_s: None, codes: &[40001, 40014, 41001, 42001], words: "token is not accepted" },
    refused(&[40093, 42012], "open the page again"),
    // For the operator.
    refused(&[40013], "corpid is wrong"),
    refused(&[40091], "another corp"),
    refused(&[41002, 41004], "is missing"),
    refused(&[45031], "reset the secret"),
    refused(&[48002], "may not call this API"),
    refused(&[48007], "assign the account"),
    refused(&[48009], "self-built app's secret"),
    refused(&[48011], "too few active members"),
    refused(&[50001], "trusted domain"),
    refused(&[50003, 301_007], "enable the app"),
    refused(&[60020], "企业可信IP"),
    refused(&[60031], "barred from the API"),
    refused(&[95011, 95012, 95017, 95023], "internal access"),
    refused(&[301_042], "message archive's own list"),
    refused(&[301_052, 301_053], "renew it"),
    refused(&[610_023, 610_024], "business category"),
    // Out of scope, or not related.
    refused(&[60111], "no such member, or the app may not see them"),
    refused(&[50002, 60011, 60021, 60030, 92000], "visible scope"),
    refused(&[84061], "no contacts"),
    refused(&[84074], "may not serve customers"),
    refused(&[84083, 84084], "see who serves"),
    refused(&[40096], "an app of the same corp"),
    refused(&[40131], "who hands over"),
    // Our own mistakes.
    refused(&[40008, 40032, 40033, 40035, 40039, 40056, 40058, 40063, 40206, 44004, 45002], "report the hint"),
    refused(&[41009, 41010, 41011, 41035, 82001, 82002, 82003], "report the hint"),
    // Already done.
    refused(&[41051], "greeted already"),
    refused(&[40100, 40129], "handed over"),
    refused(&[86215, 95033], "done already"),
    refused(&[41093, 95013], "ended already"),
    // Too late.
    refused(&[41050], "older than 20 seconds"),
    refused(&[40029, 42003, 42022], "log in once more"),
    refused(&[42052], "too old to be recalled"),
    refused(&[60140], "send a new card"),
    refused(&[84014, 84015], "user_ticket"),
    refused(&[95001, 95002, 95018], "48 hours"),
    refused(&[95007], "fetching messages"),
    refused(&[95000, 95004], "no such 微信客服 account"),
    refused(&[95014, 95019], "no servicer"),
    refused(&[95016], "does not allow this move"),
    refused(&[95031], "asked nothing"),
    refused(&[10010], "no longer kept"),
    // Handled elsewhere.
    refused(&[40003, 46004], "no such member"),
    refused(&[40007, 40145], "three days"),
    refused(&[41054], "activated"),
    refused(&[45029, 81017], "ask for less"),
    refused(&[50100], "cursor"),
    refused(&[81013], "none of the receivers"),
    refused(&[301_002], "different apps"),
    // Of single customers and groups that are handed over.
    refused(&[40097], "has not left"),
    refused(&[40098], "real name"),
    refused(&[40099], "more customers"),
    refused(&[40128], "90 days"),
    refused(&[40130], "who hands over"),
    refused(&[40132], "team"),
    refused(&[40143], "banned"),
    refused(&[40205], "year"),
    refused(&[90500], "in-service flow"),
    refused(&[90502], "flow for leavers"),
    refused(&[90501, 90509], "no customer group"),
    refused(&[90503], "full"),
    refused(&[90504], "this owner already"),
    refused(&[90507], "being handed over"),
    refused(&[90508], "handed over already"),
    refused(&[49008], "dissolved"),
    refused(&[40050, 86003], "no such group"),
];

#[tokio::test]
async fn every_errcode_that_needs_special_handling_does_what_its_class_says() {
    let (app, platform) = app_with_wecom().await;
    let user = somebody(&platform);
    for (kind, code) in KINDS.iter().flat_map(|kind| kind.codes.iter().map(move |code| (kind, *code))) {
        platform.faults().set("user/get", Fault { errcode: Some(code), ..Fault::default() });
        let asked =
            |before: (usize, usize)| (calls(&platform, "user/get") - before.0, calls(&platform, "gettoken") - before.1);
        let before = (calls(&platform, "user/get"), calls(&platform, "gettoken"));
        // Each with budgets of its own, because some codes end in a pause.
        let (wecom, pool) = another_wecom(&app.db, &app.app.admin_half.vault, &platform).await;
        let api = wecom.corp(&app.corp.corpid).await.expect("an app");
        let error = api.member(&user).await.expect_err("a fault");
        assert!(error.is(code) && error.class == kind.class && error.hint.is_some(), "{code}: {error:?}");
        assert_eq!(error.retry_after, kind.pause_s.map(Duration::from_secs), "{code}");
        let words = error.meaning().unwrap_or_else(|| panic!("{code} has no words"));
        assert!([words.en, words.remedy_en].iter().any(|it| it.contains(kind.words)), "{code}: {words:?}");
        assert!(!words.zh.is_ascii() && !words.remedy_zh.is_ascii(), "{code}: {words:?}");
        let token = kind.class == Class::Token;
        let (made, tokens) = asked(before);
        assert_eq!(made, if token { 2 } else { 1 }, "{code}: only a token is tried again");
        assert!(tokens <= 1 + usize::from(token), "{code}: {tokens} tokens were made");

        // A call right after a rate limit, or after two tokens, is not sent to WeCom; all others are.
        let rests = token || kind.pause_s.is_some();
        let again = api.member(&user).await.expect_err("a fault or a pause");
        assert_eq!((asked(before).0 - made, again.errcode.is_none()), (usize::from(!rests), rests), "{code}: {again}");
        pool.close().await;
    }
    app.finish().await;
    platform.stop().await;
}

#[tokio::test]
async fn a_token_that_has_ended_is_replaced_and_the_call_succeeds() {
    let (app, platform) = app_with_wecom().await;
    let user = somebody(&platform);
    for code in codes_of(Class::Token) {
        platform.faults().set("user/get", Fault { errcode: Some(code), times: Some(1), ..Fault::default() });
        let api = app.app.admin_half.wecom.corp(&app.corp.corpid).await.expect("an app");
        api.member(&user).await.unwrap_or_else(|error| panic!("{code}: {error}"));
    }
    app.finish().await;
}

#[tokio::test]
async fn a_rate_limited_endpoint_pauses_without_affecting_others() {
    let (app, platform) = app_with_wecom().await;
    let user = somebody(&platform);
    let api = app.app.admin_half.wecom.corp(&app.corp.corpid).await.expect("an app");
    platform.faults().set("user/get", Fault { errcode: Some(45009), times: Some(1), ..Fault::default() });
    let error: ApiError = api.member(&user).await.expect_err("limited");
    assert_eq!(error.retry_after, Some(Duration::from_secs(60)));

    let rests = api.member(&user).await.expect_err("it rests");
    assert_eq!((rests.class, rests.errcode), (Class::Transient, None), "{rests}");
    assert!(rests.retry_after.is_some_and(|it| it > Duration::from_secs(30)), "{rests:?}");
    assert_eq!(calls(&platform, "user/get"), 1, "WeCom is left alone");
    api.follow_users().await.expect("another endpoint goes on");
    app.finish().await;
}

#[tokio::test]
async fn a_broken_connection_leaves_the_outcome_unknown_except_for_token_requests() {
    let (app, platform) = app_with_wecom().await;
    let user = somebody(&platform);
    let broken = || Fault { drop: Some(wecomd::sandbox::DropAt::After), times: Some(1), ..Fault::default() };
    let api = app.app.admin_half.wecom.corp(&app.corp.corpid).await.expect("an app");
    platform.faults().set("gettoken", broken());
    let error = api.member(&user).await.expect_err("no token");
    assert_eq!((error.class, error.path), (Class::Transient, "gettoken"), "the call itself was never made: {error}");
    platform.faults().set("user/get", broken());
    assert_eq!(api.member(&user).await.expect_err("broken").class, Class::Unknown);
    app.finish().await;
}

/// The codes of a class.
pub(crate) fn codes_of(class: Class) -> impl Iterator<Item = i64> {
    KINDS.iter().filter(move |kind| kind.class == class).flat_map(|kind| kind.codes.iter().copied())
}
