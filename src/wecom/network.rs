//! Where WeCom's callbacks come from.
//!
//! <https://developer.work.weixin.qq.com/document/path/92520>.

use serde::Deserialize;

use super::{Api, ApiError};

impl Api {
    /// Whether there is a token to call with: an error says what is wrong with the secret. Safe to repeat.
    pub async fn check_token(&self) -> Result<(), ApiError> {
        self.tokens().current(self).await.map(drop)
    }

    /// The addresses, single ones or segments, that callbacks come from. Safe to repeat.
    pub async fn callback_addresses(&self) -> Result<Vec<String>, ApiError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            ip_list: Vec<String>,
        }
        let answer: Answer = self.get("getcallbackip", &[]).await?;
        Ok(answer.ip_list)
    }
}
