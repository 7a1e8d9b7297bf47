//! A browser's return from WeCom's login: who logged in, and the page they see.

use crate::{
    admin::door::call::Answer,
    staff::binding::{self, KnownMember, NotVerified},
    wecom::Api,
};

/// Why somebody is not let in, for themselves.
pub struct Refusal {
    /// The status.
    pub status: u16,
    /// Why, in Chinese, without a full stop.
    pub why: String,
    /// Whether another attempt may succeed.
    pub again: bool,
}

/// Redeems the code that somebody came back with, and finds out whether they are a member in sight who is active.
pub async fn ask(api: &Api, code: &str) -> Result<KnownMember, Refusal> {
    let visitor = api.visitor(code).await.map_err(|error| {
        tracing::warn!(error = %error, "a login was not confirmed by WeCom");
        let why = error.meaning().map_or("企业微信未能确认您的身份", |it| it.zh).to_owned();
        Refusal { status: 502, why, again: true }
    })?;
    let Some(user) = visitor.user else {
        return Err(Refusal { status: 403, why: "您不是本企业的成员".to_owned(), again: false });
    };
    // A login is given to members out of the app's sight, too: whether this one counts is ours to find out.
    binding::verify(api, &user).await.map_err(|error| {
        tracing::warn!(error = %error, "somebody who logged in cannot be verified");
        let (why, again) = match error {
            NotVerified::Unknown(_) => ("您不在应用的可见范围内。请联系管理员添加", false),
            NotVerified::Inactive { .. } => ("您的企业微信账号未激活或已停用。请联系管理员", false),
            NotVerified::Wecom(_) => ("暂时无法向企业微信核实您的身份", true),
        };
        Refusal { status: 403, why: why.to_owned(), again }
    })
}

/// A page for a person. It loads and runs nothing, and tells no other site the code in its own address.
pub fn page(status: u16, title: &str, text: &str) -> Answer {
    let (title, text) = (escaped(title), escaped(text));
    let html = format!(
        "<!doctype html>\n<html lang=\"zh-CN\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>body{{font-family:sans-serif;max-width:28em;margin:4em auto;padding:0 1em;line-height:1.6}}</style>\n\
         <h1>{title}</h1>\n<p>{text}</p>\n</html>\n"
    );
    let mut answer = Answer::file(status, "text/html; charset=utf-8".to_owned(), html.into());
    answer.headers = vec![
        ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'".to_owned()),
        ("referrer-policy", "no-referrer".to_owned()),
        ("x-content-type-options", "nosniff".to_owned()),
    ];
    answer
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_escapes_html_in_its_text() {
        let bytes = page(200, "绑定成功", "<script>alert('1')</script> & \"co\"").body.into_bytes();
        let html = String::from_utf8(bytes.to_vec()).expect("text");
        assert!(!html.contains("<script>"), "{html}");
        assert!(html.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &quot;co&quot;"), "{html}");
    }
}
