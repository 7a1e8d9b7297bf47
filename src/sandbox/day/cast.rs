//! Who appears: members of the company and their customers, with made-up names and ids.

use crate::ids::{CustomerId, ExternalUserId, UserId};
use crate::sandbox::chance::{ALPHANUMERIC, Chance, DIGITS};

/// One member for this many callbacks of the day.
const CALLBACKS_PER_STAFF: usize = 100;

/// The smallest and largest staff.
const STAFF_MIN: usize = 6;
const STAFF_MAX: usize = 40;

/// The business numbers its customers from here on.
const FIRST_CUSTOMER_NUMBER: usize = 1001;

/// The random part of an external user id.
const EXTERNAL_ID_CHARS: usize = 30;

/// How many customers scan a code that names them, and how many one that names a place.
const STATE_NAMES_CUSTOMER: f64 = 0.4;
const STATE_NAMES_PLACE: f64 = 0.4;

/// Codes at places: they say where somebody was met, not who it is.
const PLACES: [&str; 8] =
    ["booth-3", "booth-7", "store-nanshan", "store-futian", "flyer-2024q4", "van-12", "web-footer", "invoice-qr"];

const SURNAMES: [(&str, &str); 16] = [
    ("王", "wang"),
    ("李", "li"),
    ("张", "zhang"),
    ("刘", "liu"),
    ("陈", "chen"),
    ("杨", "yang"),
    ("黄", "huang"),
    ("赵", "zhao"),
    ("吴", "wu"),
    ("周", "zhou"),
    ("徐", "xu"),
    ("孙", "sun"),
    ("马", "ma"),
    ("朱", "zhu"),
    ("林", "lin"),
    ("何", "he"),
];

const GIVEN_NAMES: [(&str, &str); 16] = [
    ("伟", "wei"),
    ("敏", "min"),
    ("静", "jing"),
    ("磊", "lei"),
    ("洋", "yang"),
    ("勇", "yong"),
    ("艳", "yan"),
    ("杰", "jie"),
    ("娟", "juan"),
    ("涛", "tao"),
    ("明", "ming"),
    ("超", "chao"),
    ("秀兰", "xiulan"),
    ("霞", "xia"),
    ("建国", "jianguo"),
    ("雨桐", "yutong"),
];

/// Position and department number.
const POSITIONS: [(&str, &str); 5] =
    [("项目经理", "2"), ("销售顾问", "2"), ("维修工程师", "3"), ("安装工程师", "3"), ("客服专员", "4")];

/// What customers call themselves on WeChat.
const NICKNAMES: [&str; 12] = [
    "平安是福",
    "小鱼🐟",
    "阿强装修",
    "Lily妈妈",
    "云淡风轻",
    "大刘",
    "三号楼老赵",
    "𠮷祥如意",
    "Kevin",
    "爱吃西瓜",
    "南山店陈姐",
    "静待花开🌸",
];

/// A member of the company.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staff {
    /// The id of the morning.
    pub id: UserId,
    /// The name in the directory.
    pub name: String,
    /// What they do.
    pub position: &'static str,
    /// The number of their department.
    pub department: &'static str,
}

/// A customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// The id on WeCom.
    pub id: ExternalUserId,
    /// What they call themselves.
    pub nickname: String,
    /// The business's own number for them.
    pub business_id: CustomerId,
    /// The `state` of the code they scanned, if they scanned one.
    pub state: Option<String>,
}

/// The staff for a day of `callbacks` callbacks; no two share a name or an id.
pub(super) fn staff(chance: &mut Chance, callbacks: usize) -> Vec<Staff> {
    let count = (callbacks / CALLBACKS_PER_STAFF).clamp(STAFF_MIN, STAFF_MAX);
    let first = chance.below(SURNAMES.len());
    (0..count).filter_map(|n| member(first, n)).collect()
}

/// Member number `n` of a company whose first surname is number `first`.
pub(in crate::sandbox) fn member(first: usize, n: usize) -> Option<Staff> {
    // Walks both lists at different paces, so that a combination comes back only after all of them.
    let (surname, family) = SURNAMES.get((first + n) % SURNAMES.len())?;
    let (given, own) = GIVEN_NAMES.get((first + n * 3 + n / SURNAMES.len()) % GIVEN_NAMES.len())?;
    let (position, department) = POSITIONS.get(n % POSITIONS.len())?;
    // From then on people share their names, and their ids are numbered.
    let number = match n / (SURNAMES.len() * GIVEN_NAMES.len()) {
        0 => String::new(),
        round => (round + 1).to_string(),
    };
    Some(Staff {
        id: UserId(format!("{family}{own}{number}")),
        name: format!("{surname}{given}{number}"),
        position,
        department,
    })
}

/// The customer who appears as number `index` of the day.
pub(in crate::sandbox) fn customer(chance: &mut Chance, index: usize) -> Customer {
    let prefix = chance.pick(&["wm", "wo"]);
    let id = ExternalUserId(format!("{prefix}{}", chance.text(ALPHANUMERIC, EXTERNAL_ID_CHARS)));
    let business_id = CustomerId(format!("C-{}", FIRST_CUSTOMER_NUMBER + index));
    let state = if chance.happens(STATE_NAMES_CUSTOMER) {
        Some(format!("cust:{business_id}"))
    } else if chance.happens(STATE_NAMES_PLACE) {
        Some(chance.pick(&PLACES).to_owned())
    } else {
        None
    };
    let nickname = chance.pick(&NICKNAMES).to_owned();
    Customer { id, nickname, business_id, state }
}

/// A chat's, media's or code's id: a prefix and random characters.
pub(in crate::sandbox) fn opaque(chance: &mut Chance, prefix: &str, chars: usize) -> String {
    format!("{prefix}{}", chance.text(ALPHANUMERIC, chars))
}

/// A number in WeCom's style, with a fixed beginning.
pub(super) fn number(chance: &mut Chance, prefix: &str, digits: usize) -> String {
    format!("{prefix}{}", chance.text(DIGITS, digits))
}
