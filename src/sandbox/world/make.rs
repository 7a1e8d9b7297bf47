//! Makes a world from a seed: departments, members, customers and contacts; and adds everybody of a working day.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};

use super::contacts::{AddWay, Contacts, Follow, Notes};
use super::directory::{Department, Directory, Member, MemberStatus, ROOT};
use super::group::Groups;
use super::media::Medium;
use super::{Archive, Clock, Credential, Limits, Size, Tag, TokenMode, TransferRules, World};
use crate::ids::{ExternalUserId, UserId};
use crate::sandbox::chance::{Chance, DIGITS};
use crate::sandbox::corp::Corp;
use crate::sandbox::day::cast::{self, Staff};
use crate::sandbox::day::{Day, Ended};

/// What the whole company is called.
const COMPANY: &str = "示例装修维修有限公司";

/// What departments are called, in turn; a working day knows the first three.
const DEPARTMENTS: [&str; 6] = ["销售部", "工程部", "客服部", "安装队", "夜班抢修组", "门店"];

/// How many departments are directly below the company; the others are below these.
const UPPER_DEPARTMENTS: u32 = 4;

/// One of this many members does not serve customers, has never logged in, or has not verified their name.
const NOT_SERVING: usize = 5;
const NOT_ACTIVATED: usize = 37;
const NOT_VERIFIED: usize = 41;

/// Made-up customers are numbered from here, so that none has the number of a working day's customer.
const FIRST_CUSTOMER_INDEX: usize = 100_000;

/// Contacts were made within these two years, in seconds since 1970.
const MET_FROM: i64 = 1_704_067_200;
const MET_WITHIN: usize = 2 * 365 * 24 * 3600;

/// How many customers know two members, how many contacts a member began, and how many have notes.
const SHARED_SHARE: f64 = 0.15;
const BY_MEMBER_SHARE: f64 = 0.2;
const NOTES_SHARE: f64 = 0.3;

/// The customer tags by their group.
const TAGS: [(&str, &str); 5] =
    [("客户等级", "VIP"), ("客户等级", "普通"), ("需求", "空调"), ("需求", "管道"), ("需求", "翻新")];

/// The random characters of a tag's id, and the random digits of a telephone number.
const TAG_ID_CHARS: usize = 30;
const MOBILE_DIGITS: usize = 9;

/// The random characters of a customer's id.
const EXTERNAL_ID_CHARS: usize = 30;

impl World {
    /// Makes up a world around a company.
    pub fn of(corp: &Corp, size: Size, seed: u64) -> Self {
        let mut chance = Chance::new(seed, "world");
        let tags: Vec<Tag> = TAGS
            .iter()
            .map(|&(group, name)| Tag { id: cast::opaque(&mut chance, "et", TAG_ID_CHARS), group, name })
            .collect();
        let mut directory = Directory::of(departments(size.departments));
        hire(&mut chance, &mut directory, size);
        let mut contacts = Contacts::default();
        acquaint(&mut chance, &mut directory, &mut contacts, &tags, size.customers);
        let groups = Groups::found(seed, &directory, &contacts);
        Self {
            token_mode: TokenMode::default(),
            limits: Limits::default(),
            allowed_ips: None,
            tolerates_wrong_types: false,
            speaks_of_tomorrow: false,
            shows_unionids: true,
            welcome_conflicts: 0,
            messages: VecDeque::new(),
            welcomes: VecDeque::new(),
            transfer_rules: TransferRules::default(),
            transfer_calls: VecDeque::new(),
            group_calls: VecDeque::new(),
            archive: Archive::default(),
            seed,
            clock: Clock::default(),
            chance: Chance::new(seed, "what happens"),
            corpid: corp.corpid.clone(),
            credentials: corp.apps.iter().map(Credential::of).collect(),
            directory,
            contacts,
            tags,
            contact_ways: Default::default(),
            transfers: Default::default(),
            groups,
            forms: Vec::new(),
            tokens: Default::default(),
            welcome_codes: Default::default(),
            login_codes: Default::default(),
            media: Default::default(),
            post: Default::default(),
            kf: Default::default(),
            calls: HashMap::new(),
        }
    }

    /// Adds everybody of a working day as during the day: members and contacts that the day ends or renames are still
    /// there, so that the API can be asked about what a callback says. [`World::end`] ends the day.
    pub fn include(&mut self, day: &Day) {
        for staff in &day.staff {
            let place = self.directory.add(member_of(staff));
            if let Some(known) = self.directory.get_mut(place) {
                let follows = std::mem::take(&mut known.follows);
                *known = Member { follows, ..member_of(staff) };
            }
        }
        let customers: HashMap<_, _> = day.customers.iter().map(|customer| (&customer.id, customer)).collect();
        for contact in &day.contacts {
            let Some(customer) = customers.get(&contact.external_userid) else { continue };
            let Some(member) = self.directory.find(contact.userid.as_str()) else { continue };
            let place = self.contacts.know(&customer.id, || Cow::Owned(customer.nickname.clone()));
            let follow = Follow {
                member,
                customer: place,
                since: contact.since,
                add_way: if customer.state.is_some() { AddWay::QrScan } else { AddWay::CardShare },
                by_member: false,
                one_sided: false,
                state: customer.state.as_deref().map(Box::from),
                notes: None,
            };
            self.contacts.meet(&mut self.directory, follow);
        }
        for push in &day.pushes {
            self.keep_media_of(&push.plaintext);
            if let Some(open_kfid) = cdata(&push.plaintext, "OpenKfId") {
                self.know_kf_callback(open_kfid, cdata(&push.plaintext, "Token").unwrap_or_default());
            }
        }
    }

    /// Stores a small file for a message's media id.
    fn keep_media_of(&mut self, plaintext: &str) {
        let (Some(media_id), Some(kind)) = (cdata(plaintext, "MediaId"), cdata(plaintext, "MsgType")) else { return };
        let (bytes, content_type, filename): (&'static [u8], _, _) = match kind {
            "image" => (PICTURE, "image/png", "photo.png"),
            "voice" => (SOUND, "audio/amr", "voice.amr"),
            _ => (FILM, "video/mp4", "film.mp4"),
        };
        let (bytes, content_type, filename) = (bytes.into(), content_type.to_owned(), filename.to_owned());
        self.media.add(media_id.to_owned(), Medium { bytes, content_type, filename, created_at: self.now() });
    }

    /// Adds a member who serves customers, without a callback; an existing member keeps the id.
    pub fn add_member(&mut self, userid: &UserId, name: &str) {
        let member = Member {
            userid: userid.clone(),
            name: name.to_owned(),
            departments: vec![ROOT],
            position: String::new(),
            status: MemberStatus::Active,
            customer_contact: true,
            verified: true,
            left_at: None,
            customers_max: None,
            follows: Vec::new(),
        };
        self.directory.add(member);
    }

    /// Makes a customer a member's contact, without any callback; false if there is no such member.
    pub fn add_contact(&mut self, userid: &UserId, customer: &ExternalUserId, nickname: &str) -> bool {
        let Some(member) = self.directory.find(userid.as_str()) else { return false };
        let customer = self.contacts.know(customer, || Cow::Owned(nickname.to_owned()));
        let follow = Follow {
            member,
            customer,
            since: self.now(),
            add_way: AddWay::PhoneSearch,
            by_member: false,
            one_sided: false,
            state: None,
            notes: None,
        };
        self.contacts.meet(&mut self.directory, follow).is_some()
    }

    /// Applies the end of an included day: contacts ended, one member renamed, one left. Nothing is pushed, since the
    /// day's callbacks have reported it.
    pub fn end(&mut self, day: &Day) {
        for contact in &day.contacts {
            let Some((place, _)) = self.contact(&contact.userid, &contact.external_userid) else { continue };
            match contact.ended {
                Some(Ended::ByMember) => {
                    self.contacts.part(&mut self.directory, place);
                }
                Some(Ended::ByCustomer) => {
                    if let Some(follow) = self.contacts.follow_mut(place) {
                        follow.one_sided = true;
                    }
                }
                None => {}
            }
        }
        let (old, new) = &day.renamed;
        self.directory.rename(old.as_str(), new);
        let now = self.now();
        self.directory.leave(day.leaver.as_str(), now);
    }
}

fn departments(count: usize) -> Vec<Department> {
    let below = (0..count.max(3) as u32).zip(DEPARTMENTS.iter().cycle()).map(|(n, name)| {
        let round = n as usize / DEPARTMENTS.len();
        Department {
            id: ROOT + 1 + n,
            name: if round == 0 { (*name).to_owned() } else { format!("{name}{}", round + 1) },
            parent: if n < UPPER_DEPARTMENTS { ROOT } else { ROOT + 1 + n % UPPER_DEPARTMENTS },
        }
    });
    let company = Department { id: ROOT, name: COMPANY.to_owned(), parent: 0 };
    std::iter::once(company).chain(below).collect()
}

fn hire(chance: &mut Chance, directory: &mut Directory, size: Size) {
    let first = chance.below(usize::from(u16::MAX));
    for n in 0..size.members {
        let Some(staff) = cast::member(first, n) else { continue };
        let mut member = member_of(&staff);
        // Half of them stay in their position's department, the others are spread over the company.
        if n % 2 == 1 {
            member.departments = vec![ROOT + 1 + chance.below(size.departments.max(3)) as u32];
        }
        let every = |nth: usize| n % nth == nth - 1;
        if every(NOT_ACTIVATED) {
            member.status = MemberStatus::NotActivated;
        }
        member.verified = !every(NOT_VERIFIED);
        member.customer_contact = !(every(NOT_SERVING) || every(NOT_ACTIVATED) || every(NOT_VERIFIED));
        directory.add(member);
    }
}

fn member_of(staff: &Staff) -> Member {
    Member {
        userid: staff.id.clone(),
        name: staff.name.clone(),
        departments: staff.department.split(',').filter_map(|id| id.parse().ok()).collect(),
        position: staff.position.to_owned(),
        status: MemberStatus::Active,
        customer_contact: true,
        verified: true,
        left_at: None,
        customers_max: None,
        follows: Vec::new(),
    }
}

fn acquaint(chance: &mut Chance, directory: &mut Directory, contacts: &mut Contacts, tags: &[Tag], count: usize) {
    let serving = |place: &u32| directory.get(*place).is_some_and(|member| member.customer_contact);
    let serving: Vec<u32> = (0..directory.members.len() as u32).filter(serving).collect();
    for n in 0..count {
        let made_up = cast::customer(chance, FIRST_CUSTOMER_INDEX + n);
        let customer = contacts.know(&made_up.id, || Cow::Owned(made_up.nickname.clone()));
        let acquaintances = if chance.happens(SHARED_SHARE) { 2 } else { 1 };
        for _ in 0..acquaintances {
            let Some(&member) = serving.get(chance.below(serving.len())) else { continue };
            if contacts.between(member, customer).is_some() {
                continue;
            }
            let other = AddWay::ALL.get(chance.below(AddWay::ALL.len())).copied().unwrap_or(AddWay::QrScan);
            let follow = Follow {
                member,
                customer,
                since: MET_FROM + chance.below(MET_WITHIN) as i64,
                add_way: if made_up.state.is_some() { AddWay::QrScan } else { other },
                by_member: made_up.state.is_none() && chance.happens(BY_MEMBER_SHARE),
                one_sided: false,
                state: made_up.state.as_deref().map(Box::from),
                notes: chance.happens(NOTES_SHARE).then(|| Box::new(notes(chance, &made_up.nickname, tags))),
            };
            contacts.meet(directory, follow);
        }
    }
}

fn notes(chance: &mut Chance, nickname: &str, tags: &[Tag]) -> Notes {
    let mobile = format!("13{}", chance.text(DIGITS, MOBILE_DIGITS));
    Notes {
        remark: format!("{nickname}-{}", chance.pick(&["南山", "福田", "老客户", "保修中"])),
        description: String::new(),
        remark_company: String::new(),
        remark_mobiles: if chance.happens(0.5) { vec![mobile] } else { Vec::new() },
        tags: tags.get(chance.below(tags.len())).map(|tag| tag.id.clone()).into_iter().collect(),
    }
}

/// Makes up the id of a customer whom nobody has seen before.
pub(super) fn somebody_new(chance: &mut Chance) -> ExternalUserId {
    ExternalUserId(cast::opaque(chance, "wm", EXTERNAL_ID_CHARS))
}

/// The smallest picture there is: one grey dot.
const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0\x3a\x7e\x9b\x55\
    \0\0\0\nIDAT\x78\xda\x63\x68\0\0\0\x82\0\x81\xda\x45\x08\x3b\0\0\0\0IEND\xae\x42\x60\x82";

/// The head of an AMR file without sound.
const SOUND: &[u8] = b"#!AMR\n";

/// The head of an MP4 file without frames.
const FILM: &[u8] = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom";

/// The text between an element's tags.
fn cdata<'a>(document: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = document.split_once(&format!("<{name}><![CDATA["))?;
    Some(rest.split_once("]]>")?.0)
}
