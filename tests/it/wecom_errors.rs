//! What WeCom's errcodes make us do, one by one, over real sockets.

use std::time::Duration;

use wecomd::{
    sandbox::Fault,
    wecom::{ApiError, Class},
};

use crate::support::wecom::{another_wecom, app_with_wecom, calls, somebody};

const TRANSIENT: &[i64] =
    &[-1, 6000, 41063, 41079, 45033, 45035, 41096, 81026, 2_000_111, 2_000_141, 45009, 45036, 41094];

const TOKEN: &[i64] = &[40014, 42001, 41001, 40001];

const REFUSED: &[i64] = &[
    40091, 45031, 48002, 48007, 48009, 48011, 50001, 50003, 60020, 60031, 95011, 95012, 95017, 95023, 301_042, 301_052,
    301_053, 301_007, 610_023, 610_024, 60011, 60030, 60021, 60111, 50002, 84061, 84074, 84083, 84084, 40096, 40131,
    92000, 40008, 40032, 40033, 40035, 40039, 40056, 40058, 40063, 40206, 41009, 44004, 45002, 82001, 82002, 82003,
    41051, 40129, 40100, 86215, 95033, 41093, 95013, 41050, 42003, 40029, 42022, 42052, 60140, 84014, 95001, 95002,
    95007, 95018, 10010,
];

#[tokio::test]
async fn every_errcode_that_needs_special_handling_does_what_its_class_says() {
    let (app, platform) = app_with_wecom().await;
    let user = somebody(&platform);
    let kinds = [(Class::Transient, TRANSIENT), (Class::Refused, REFUSED), (Class::Token, TOKEN)];
    for (class, codes) in kinds {
        for code in codes {
            platform.faults().set("user/get", Fault { errcode: Some(*code), ..Fault::default() });
            let before = (calls(&platform, "user/get"), calls(&platform, "gettoken"));
            // Each with budgets of its own, because some codes end in a pause.
            let (wecom, pool) = another_wecom(&app.db, &app.app.admin_half.vault, &platform).await;
            let api = wecom.corp(&app.corp.corpid).await.expect("an app");
            let error = api.member(&user).await.expect_err("a fault");
            pool.close().await;
            assert!(error.is(*code), "{code}: {error}");
            assert_eq!(error.class, class, "{code}: {error}");
            assert!(error.hint.is_some() && error.meaning().is_some(), "{code}: {error:?}");
            let made = calls(&platform, "user/get") - before.0;
            assert_eq!(made, if class == Class::Token { 2 } else { 1 }, "{code}: only a token is tried again");
            let tokens = calls(&platform, "gettoken") - before.1;
            assert!(tokens <= 1 + usize::from(class == Class::Token), "{code}: {tokens} tokens were made");
        }
    }
    app.finish().await;
}

#[tokio::test]
async fn a_token_that_has_ended_is_replaced_and_the_call_succeeds() {
    let (app, platform) = app_with_wecom().await;
    let user = somebody(&platform);
    for code in TOKEN {
        platform.faults().set("user/get", Fault { errcode: Some(*code), times: Some(1), ..Fault::default() });
        let api = app.app.admin_half.wecom.corp(&app.corp.corpid).await.expect("an app");
        api.member(&user).await.unwrap_or_else(|error| panic!("{code}: {error}"));
    }
    app.finish().await;
}

#[tokio::test]
async fn an_endpoint_that_is_called_too_often_rests_alone() {
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
async fn a_connection_that_breaks_leaves_open_whether_the_call_happened_and_a_token_never_does() {
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
