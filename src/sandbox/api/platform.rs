//! A running pretend WeCom, with all controls for tests and the demo.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::fault::Faults;
use super::journal::Call;
use super::shared::Shared;
use super::{push, server};
use crate::ids::{ExternalUserId, UserId};
use crate::sandbox::deliver::Sender;
use crate::sandbox::world::{ChangeError, Clock, Form, JoinScene, NoAccount, Notes, ScanError, World};

/// A pretend WeCom that answers API calls and pushes callbacks until it is stopped or dropped.
pub struct Platform {
    shared: Arc<Shared>,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Platform {
    /// Starts listening at an address; port 0 takes any free one.
    pub async fn start(world: World, listen: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let (pushes, queue) = push::Pushes::new();
        let shared = Arc::new(Shared::new(world, base_url(address).into(), pushes));
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        tasks.spawn(server::serve(listener, Arc::clone(&shared), stopped));
        tasks.spawn(push::deliver(queue));
        Ok(Self { shared, address, stop, tasks })
    }

    /// The address it listens at.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL for a service's configuration; the paths below it begin with `/cgi-bin/`.
    pub fn base_url(&self) -> String {
        self.shared.base_url.to_string()
    }

    /// Sets where callbacks go. Before the first call nothing is pushed.
    pub fn push_to(&self, sender: Sender) {
        self.shared.pushes.send_to(sender);
    }

    /// Waits until every callback so far was delivered or given up.
    pub async fn pushed(&self) {
        self.shared.pushes.done().await;
    }

    /// The world's clock; advancing it expires tokens, codes and files. Transfers wait for the next call, or for
    /// [`Platform::settle_transfers`].
    pub fn clock(&self) -> Clock {
        self.shared.clock.clone()
    }

    /// Advances the clock and settles what is due by then: transfers end, with their callbacks.
    pub fn advance(&self, by: Duration) {
        self.shared.clock.advance(by);
        self.shared.settle_transfers();
    }

    /// Settles what is due by now; the next API call does so, too.
    pub fn settle_transfers(&self) {
        self.shared.settle_transfers();
    }

    /// The faults.
    pub fn faults(&self) -> Faults {
        self.shared.faults.clone()
    }

    /// The calls so far, the oldest first; at most the latest 50,000.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.calls()
    }

    /// The calls of one path, such as `externalcontact/get`.
    pub fn calls_of(&self, path: &str) -> Vec<Call> {
        self.shared.calls_of(path)
    }

    /// Reads or changes the world. Calls wait meanwhile.
    pub fn with<T>(&self, f: impl FnOnce(&mut World) -> T) -> T {
        self.shared.with(f)
    }

    /// A customer scans a contact way's code and becomes a member's contact; a callback is sent.
    pub async fn scan(&self, config_id: &str, customer: &ExternalUserId) -> Result<(), ScanError> {
        self.shared.scan(config_id, customer).await
    }

    /// A customer adds a member without any code.
    pub async fn add(&self, userid: &UserId, customer: &ExternalUserId) -> Result<(), ChangeError> {
        self.shared.change(|world| world.add(userid, customer)).await
    }

    /// A member writes something about a customer.
    pub async fn edit(
        &self,
        userid: &UserId,
        customer: &ExternalUserId,
        write: impl FnOnce(&mut Notes),
    ) -> Result<(), ChangeError> {
        self.shared.change(|world| world.edit(userid, customer, write)).await
    }

    /// A member deletes a customer.
    pub async fn remove(&self, userid: &UserId, customer: &ExternalUserId) -> Result<(), ChangeError> {
        self.shared.change(|world| world.remove(userid, customer)).await
    }

    /// A customer deletes a member; the API still lists the contact.
    pub async fn unfollow(&self, userid: &UserId, customer: &ExternalUserId) -> Result<(), ChangeError> {
        self.shared.change(|world| world.unfollow(userid, customer)).await
    }

    /// A member gets another id; the directory app gets a callback.
    pub async fn rename(&self, old: &UserId, new: &UserId) -> Result<(), ChangeError> {
        self.shared.change(|world| world.rename(old, new)).await
    }

    /// A member leaves the company; the directory app gets a callback.
    pub async fn leave(&self, userid: &UserId) -> Result<(), ChangeError> {
        self.shared.change(|world| world.leave(userid)).await
    }

    /// A customer joins a group; a callback is sent.
    pub async fn join_group(
        &self,
        chat_id: &str,
        customer: &ExternalUserId,
        scene: JoinScene,
    ) -> Result<(), ChangeError> {
        self.shared.change(|world| world.join_group(chat_id, customer, scene)).await
    }

    /// A customer leaves a group, or is removed.
    pub async fn leave_group(
        &self,
        chat_id: &str,
        customer: &ExternalUserId,
        removed: bool,
    ) -> Result<(), ChangeError> {
        self.shared.change(|world| world.leave_group(chat_id, customer, removed)).await
    }

    /// A group gets another name.
    pub async fn rename_group(&self, chat_id: &str, name: &str) -> Result<(), ChangeError> {
        self.shared.change(|world| world.rename_group(chat_id, name)).await
    }

    /// A group is dissolved.
    pub async fn dismiss_group(&self, chat_id: &str) -> Result<(), ChangeError> {
        self.shared.change(|world| world.dismiss_group(chat_id)).await
    }

    /// An administrator renames a customer tag.
    pub async fn rename_tag(&self, id: &str, name: &'static str) -> Result<(), ChangeError> {
        self.shared.change(|world| world.rename_tag(id, name)).await
    }

    /// An administrator deletes a group of customer tags.
    pub async fn delete_tags(&self, group: &str) -> Result<(), ChangeError> {
        self.shared.change(|world| world.delete_tags(group)).await
    }

    /// A form of the 审批 app is handed in, or progresses.
    pub async fn hand_in(&self, form: Form) -> Result<(), ChangeError> {
        self.shared.change(|world| Ok(world.hand_in(form))).await
    }

    /// A customer opens a conversation of 微信客服 through a link with this `scene_param`.
    pub async fn kf_enter(
        &self,
        open_kfid: &str,
        customer: &ExternalUserId,
        scene_param: &str,
    ) -> Result<(), NoAccount> {
        self.shared.change(|world| world.kf_enter(open_kfid, customer, scene_param)).await
    }

    /// A customer writes to 微信客服.
    pub async fn kf_write(&self, open_kfid: &str, customer: &ExternalUserId, text: &str) -> Result<(), NoAccount> {
        self.kf_say(open_kfid, customer, "text", json!({ "content": text })).await
    }

    /// A customer sends a picture to 微信客服; `media_id` is of [`World::add_media`].
    pub async fn kf_picture(
        &self,
        open_kfid: &str,
        customer: &ExternalUserId,
        media_id: &str,
    ) -> Result<(), NoAccount> {
        self.kf_say(open_kfid, customer, "image", json!({ "media_id": media_id })).await
    }

    /// A customer sends something of any type.
    pub async fn kf_say(
        &self,
        open_kfid: &str,
        customer: &ExternalUserId,
        msgtype: &str,
        content: Value,
    ) -> Result<(), NoAccount> {
        self.shared.change(|world| world.kf_say(open_kfid, customer, msgtype, content)).await
    }

    /// A servicer answers a customer in WeCom, and has the session from then on.
    pub async fn kf_reply(
        &self,
        open_kfid: &str,
        servicer: &UserId,
        customer: &ExternalUserId,
        text: &str,
    ) -> Result<(), NoAccount> {
        self.shared.change(|world| world.kf_reply(open_kfid, servicer, customer, text)).await
    }

    /// A servicer ends a session in WeCom.
    pub async fn kf_end(&self, open_kfid: &str, servicer: &UserId, customer: &ExternalUserId) -> Result<(), NoAccount> {
        self.shared.change(|world| world.kf_end(open_kfid, servicer, customer)).await
    }

    /// A customer recalls what they said last.
    pub async fn kf_recall(&self, open_kfid: &str, customer: &ExternalUserId) -> Result<(), NoAccount> {
        self.shared.change(|world| world.kf_recall(open_kfid, customer)).await
    }

    /// Answers the requests in hand and stops.
    pub async fn stop(mut self) {
        // The server checks this between two connections.
        let _ = self.stop.send(true);
        self.tasks.join_next().await;
        self.tasks.shutdown().await;
    }
}

/// A server that listens on all addresses is reached at localhost.
fn base_url(address: SocketAddr) -> String {
    let reached = match address.ip() {
        ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(reached, address.port()))
}
