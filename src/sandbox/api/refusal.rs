//! Refusals: the platform's errcodes and a text for each.
//!
//! The texts are for people; clients must not parse them, so they need not match the platform's exactly.

/// A refused call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) errcode: i64,
    pub(super) text: String,
}

impl Refusal {
    /// A refusal with its usual text.
    pub(super) fn of(errcode: i64) -> Self {
        Self { errcode, text: usual_text(errcode).to_owned() }
    }

    /// A refusal with a specific text.
    pub(super) fn because(errcode: i64, what: impl std::fmt::Display) -> Self {
        Self { errcode, text: format!("{}: {what}", usual_text(errcode)) }
    }
}

/// The call took effect, or the query was answered.
pub(super) const OK: i64 = 0;

/// The system is busy; nothing was done.
pub(super) const BUSY: i64 = -1;

pub(super) const BAD_SECRET: i64 = 40001;
pub(super) const BAD_MEDIA_TYPE: i64 = 40004;
pub(super) const BAD_MEDIA_ID: i64 = 40007;
pub(super) const BAD_MSGTYPE: i64 = 40008;
pub(super) const BAD_CORPID: i64 = 40013;
pub(super) const BAD_TOKEN: i64 = 40014;
pub(super) const BAD_LOGIN_CODE: i64 = 40029;
pub(super) const BAD_USERID_LIST: i64 = 40031;
pub(super) const TOO_MANY_USERIDS: i64 = 40032;
pub(super) const BAD_CHAT_ID: i64 = 40050;
pub(super) const BAD_AGENTID: i64 = 40056;
pub(super) const BAD_PARAMETER: i64 = 40058;
pub(super) const BAD_TAG: i64 = 40068;
pub(super) const BAD_EXTERNAL_USERID: i64 = 40096;
pub(super) const NOT_LEFT: i64 = 40097;
pub(super) const NOT_VERIFIED: i64 = 40098;
pub(super) const CUSTOMERS_FULL: i64 = 40099;
pub(super) const MOVED_TOO_OFTEN: i64 = 40128;
pub(super) const TRANSFER_UNDER_WAY: i64 = 40129;
pub(super) const SAME_MEMBER: i64 = 40130;
pub(super) const NOT_THEIR_CUSTOMER: i64 = 40131;
pub(super) const BAD_RANGE: i64 = 40146;
pub(super) const LOGGED_IN_LONG_AGO: i64 = 40205;
pub(super) const GROUP_DISSOLVED: i64 = 49008;
pub(super) const NO_FORM: i64 = 301_025;
pub(super) const BODY_TOO_LONG: i64 = 40206;
pub(super) const NO_TOKEN: i64 = 41001;
pub(super) const NO_CORPID: i64 = 41002;
pub(super) const NO_SECRET: i64 = 41004;
pub(super) const NO_MEDIA_ID: i64 = 41006;
pub(super) const NO_USERID: i64 = 41009;
pub(super) const NO_AGENTID: i64 = 41011;
pub(super) const NO_EXTERNAL_USERID: i64 = 41035;
pub(super) const NO_WAY_TYPE: i64 = 41037;
pub(super) const NO_WAY_SCENE: i64 = 41038;
pub(super) const BAD_WAY_TYPE: i64 = 41039;
pub(super) const BAD_WAY_SCENE: i64 = 41040;
pub(super) const TOO_MANY_WAY_MEMBERS: i64 = 41041;
pub(super) const BAD_WAY_STYLE: i64 = 41042;
pub(super) const NO_CONFIG_ID: i64 = 41043;
pub(super) const BAD_CONFIG_ID: i64 = 41044;
pub(super) const TOO_MANY_WAYS: i64 = 41045;
pub(super) const NO_WELCOME_CODE: i64 = 41049;
pub(super) const BAD_WELCOME_CODE: i64 = 41050;
pub(super) const ALREADY_WELCOMED: i64 = 41051;
pub(super) const NOT_ACTIVATED: i64 = 41054;
pub(super) const ANOTHER_APP_WELCOMES: i64 = 41096;
pub(super) const TOKEN_EXPIRED: i64 = 42001;
pub(super) const LOGIN_CODE_EXPIRED: i64 = 42003;
pub(super) const BAD_CARD: i64 = 42014;
pub(super) const LOGIN_CODE_USED: i64 = 42022;
pub(super) const EMPTY_FILE: i64 = 44001;
pub(super) const EMPTY_TEXT: i64 = 44004;
pub(super) const FILE_TOO_LARGE: i64 = 45001;
pub(super) const MESSAGE_TOO_LONG: i64 = 45002;
pub(super) const TOO_OFTEN: i64 = 45009;
pub(super) const NOT_PERMITTED: i64 = 48002;
pub(super) const KF_NOT_MANAGED: i64 = 48007;
pub(super) const SYNC_MAY_NOT_READ: i64 = 48009;
pub(super) const BAD_CURSOR: i64 = 50100;
pub(super) const NO_DEPARTMENT: i64 = 60003;
pub(super) const OUT_OF_SIGHT: i64 = 60011;
pub(super) const IP_NOT_ALLOWED: i64 = 60020;
pub(super) const NO_SUCH_USER: i64 = 60111;
pub(super) const TOO_BROAD: i64 = 81017;
pub(super) const NOBODY_RECEIVES: i64 = 81013;
pub(super) const NO_RECEIVERS: i64 = 82001;
pub(super) const TOO_MANY_PARTIES: i64 = 82002;
pub(super) const TOO_MANY_TAGS: i64 = 82003;
pub(super) const NO_RELATION: i64 = 84061;
pub(super) const NOT_SERVING: i64 = 84074;
pub(super) const OWNER_IS_HERE: i64 = 90500;
pub(super) const NOT_A_CUSTOMER_GROUP: i64 = 90501;
pub(super) const OWNER_HAS_LEFT: i64 = 90502;
pub(super) const OWNER_UNCHANGED: i64 = 90504;
pub(super) const GROUP_INHERITING: i64 = 90507;
pub(super) const GROUP_INHERITED: i64 = 90508;
pub(super) const NO_SUCH_KF_ACCOUNT: i64 = 95000;
pub(super) const BAD_KF_TOKEN: i64 = 95007;
pub(super) const SESSION_ENDED: i64 = 95013;
pub(super) const NO_SERVICER: i64 = 95014;
pub(super) const ILLEGAL_MOVE: i64 = 95016;
pub(super) const NOT_RECEIVING: i64 = 95019;
pub(super) const NO_INQUIRY: i64 = 95031;
pub(super) const DUPLICATE_MSGID: i64 = 95033;
pub(super) const WRONG_AGENTID: i64 = 301_002;
pub(super) const TOO_MANY_PAIRS: i64 = 301_060;
pub(super) const NO_SUCH_ROOM: i64 = 301_061;
pub(super) const RANGE_NEEDED: i64 = 830_002;

/// The code for an unknown path; the real platform's is not known.
pub(super) const NO_SUCH_PATH: i64 = 404;

/// The usual text of each code.
const USUAL_TEXTS: &[(i64, &str)] = &[
    (OK, "ok"),
    (BUSY, "system busy"),
    (BAD_SECRET, "invalid credential"),
    (BAD_MEDIA_TYPE, "invalid media type"),
    (BAD_MEDIA_ID, "invalid media_id"),
    (BAD_MSGTYPE, "invalid message type"),
    (BAD_CORPID, "invalid corpid"),
    (BAD_TOKEN, "invalid access_token"),
    (BAD_LOGIN_CODE, "invalid code"),
    (BAD_USERID_LIST, "userid list invalid"),
    (TOO_MANY_USERIDS, "userid list size error"),
    (BAD_CHAT_ID, "invalid chat id"),
    (BAD_AGENTID, "invalid agentid"),
    (BAD_PARAMETER, "invalid Request Parameter"),
    (BAD_TAG, "invalid tagid"),
    (BAD_EXTERNAL_USERID, "invalid external userid"),
    (NOT_LEFT, "user has not resigned"),
    (NOT_VERIFIED, "user is not verified by real name"),
    (CUSTOMERS_FULL, "the takeover user has too many customers"),
    (MOVED_TOO_OFTEN, "transferred too often within 90 days"),
    (TRANSFER_UNDER_WAY, "a transfer is under way"),
    (SAME_MEMBER, "handover and takeover are the same user"),
    (NOT_THEIR_CUSTOMER, "not a customer of the handover user"),
    (BAD_RANGE, "invalid range"),
    (LOGGED_IN_LONG_AGO, "the user has not logged in within a year"),
    (BODY_TOO_LONG, "request body too long"),
    (NO_TOKEN, "access_token missing"),
    (NO_CORPID, "corpid missing"),
    (NO_SECRET, "secret missing"),
    (NO_MEDIA_ID, "media_id missing"),
    (NO_USERID, "userid missing"),
    (NO_AGENTID, "agentid missing"),
    (NO_EXTERNAL_USERID, "external_userid missing"),
    (NO_WAY_TYPE, "contact way: type missing or invalid"),
    (BAD_WAY_TYPE, "contact way: type missing or invalid"),
    (NO_WAY_SCENE, "contact way: scene missing or invalid"),
    (BAD_WAY_SCENE, "contact way: scene missing or invalid"),
    (TOO_MANY_WAY_MEMBERS, "contact way: too many users"),
    (BAD_WAY_STYLE, "contact way: invalid style"),
    (NO_CONFIG_ID, "contact way: config_id missing"),
    (BAD_CONFIG_ID, "contact way: invalid config_id"),
    (TOO_MANY_WAYS, "contact way: out of quota"),
    (NO_WELCOME_CODE, "welcome code missing"),
    (BAD_WELCOME_CODE, "welcome code invalid or expired"),
    (ALREADY_WELCOMED, "already chatting or welcome message delivered"),
    (NOT_ACTIVATED, "user is not activated"),
    (ANOTHER_APP_WELCOMES, "another app is sending the welcome message"),
    (TOKEN_EXPIRED, "access_token expired"),
    (LOGIN_CODE_EXPIRED, "code expired"),
    (BAD_CARD, "invalid template_card"),
    (LOGIN_CODE_USED, "code has been used"),
    (EMPTY_FILE, "empty media data"),
    (EMPTY_TEXT, "empty text"),
    (FILE_TOO_LARGE, "media file exceeds size limit"),
    (MESSAGE_TOO_LONG, "message content exceeds size limit"),
    (TOO_OFTEN, "api freq out of limit"),
    (NOT_PERMITTED, "api forbidden for this credential"),
    (SYNC_MAY_NOT_READ, "contact sync may not read details from this ip"),
    (BAD_CURSOR, "invalid cursor"),
    (NO_DEPARTMENT, "department not found"),
    (OUT_OF_SIGHT, "no privilege to access/modify contact/party/agent"),
    (IP_NOT_ALLOWED, "not allow to access from your ip"),
    (NO_SUCH_USER, "userid not found"),
    (TOO_BROAD, "too many users in scope, name the owners"),
    (NOBODY_RECEIVES, "user & party & tag all invalid"),
    (NO_RECEIVERS, "user & party & tag all empty"),
    (TOO_MANY_PARTIES, "too many parties"),
    (TOO_MANY_TAGS, "too many tags"),
    (NO_RELATION, "not external contact"),
    (NOT_SERVING, "user has no external contact privilege"),
    (OWNER_IS_HERE, "the owner has not resigned"),
    (NOT_A_CUSTOMER_GROUP, "not a customer group"),
    (OWNER_HAS_LEFT, "the owner has resigned"),
    (OWNER_UNCHANGED, "the owner is unchanged"),
    (GROUP_INHERITING, "the group is being inherited"),
    (GROUP_INHERITED, "the group was inherited"),
    (KF_NOT_MANAGED, "the kf account is not assigned to this app"),
    (NO_SUCH_KF_ACCOUNT, "invalid open_kfid"),
    (BAD_KF_TOKEN, "invalid token"),
    (SESSION_ENDED, "the session has ended"),
    (NO_SERVICER, "the user is no servicer"),
    (ILLEGAL_MOVE, "the session state does not allow this"),
    (NOT_RECEIVING, "the servicer does not receive customers"),
    (NO_INQUIRY, "no inquiry within 48 hours"),
    (DUPLICATE_MSGID, "duplicate msgid"),
    (WRONG_AGENTID, "not allowed to operate another agent with this access_token"),
    (TOO_MANY_PAIRS, "too many users to check"),
    (NO_SUCH_ROOM, "room or user not found"),
    (RANGE_NEEDED, "media file too large, use Range"),
    (NO_SUCH_PATH, "no such api"),
    (GROUP_DISSOLVED, "the group was dissolved"),
    (NO_FORM, "no such approval form"),
];

fn usual_text(errcode: i64) -> &'static str {
    USUAL_TEXTS.iter().find(|(code, _)| *code == errcode).map_or("error", |(_, text)| text)
}
