//! Callbacks as they travel: sealed before anything is measured.

use wecomd::{
    crypto::{CallbackKeys, seal_random},
    sandbox::{App, Corp, Push},
};

use super::supply::Supply;

/// A callback as it travels: signed and encrypted.
#[derive(Debug, Clone)]
pub(crate) struct Callback {
    /// The app's name in the URL.
    pub(crate) app: String,
    /// The query: signature, timestamp, nonce.
    pub(crate) query: String,
    /// The body: the envelope around the ciphertext.
    pub(crate) body: String,
}

/// Seals a new day's callbacks, as many as asked for.
pub(crate) fn sealed_day(supply: &mut Supply, callbacks: usize) -> anyhow::Result<Vec<Callback>> {
    let pushes = supply.day(callbacks);
    sealed(supply, &pushes)
}

/// Seals callbacks of the supply's company.
pub(crate) fn sealed(supply: &Supply, pushes: &[Push]) -> anyhow::Result<Vec<Callback>> {
    let mut sealed = Vec::with_capacity(pushes.len());
    for (number, push) in pushes.iter().enumerate() {
        let app = supply.app(push)?;
        sealed.push(seal(&supply.corp, app, &app.keys()?, number, &push.plaintext));
    }
    Ok(sealed)
}

/// Seals one plaintext for an app with these keys.
pub(crate) fn seal(corp: &Corp, app: &App, keys: &CallbackKeys, number: usize, plaintext: &str) -> Callback {
    let nonce = (1_600_000_000 + number).to_string();
    let it = seal_random(keys, &app.receive_id, "1735700000", &nonce, plaintext.as_bytes());
    let body = it.push_xml(corp.corpid.as_str(), &app.agentid);
    Callback { app: app.name.clone(), query: it.query(), body }
}
