//! Where WeCom's callbacks come from.
//!
//! <https://developer.work.weixin.qq.com/document/path/92520>.

use serde::Deserialize;

use super::{Api, ApiError};

impl Api {
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
