//! The addresses that WeCom's callbacks come from.
//!
//! <https://developer.work.weixin.qq.com/document/path/92520>.

use serde::Deserialize;

use super::{Api, ApiError};

/// `getcallbackip`.
#[derive(Debug, Deserialize)]
pub(super) struct AddressesAnswer {
    ip_list: Vec<String>,
}

impl Api {
    /// Checks that a token can be had; the error says what is wrong with the secret. Safe to repeat.
    pub async fn check_token(&self) -> Result<(), ApiError> {
        self.tokens().current(self).await.map(drop)
    }

    /// The addresses and networks that callbacks come from. Safe to repeat.
    pub async fn callback_addresses(&self) -> Result<Vec<String>, ApiError> {
        let answer: AddressesAnswer = self.get("getcallbackip", &[]).await?;
        Ok(answer.ip_list.into_iter().filter(|it| !it.is_empty()).collect())
    }
}
