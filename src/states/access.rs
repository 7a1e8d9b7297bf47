//! Who may do what, and which apps are listened for.

words! {
    /// How far a token reaches; each role may do what the ones before it may.
    described Role in ["api_token.role", "console_user.role"] => {
        /// Reads.
        Viewer = "viewer",
        /// Binds staff and works on deliveries, too.
        Operator = "operator",
        /// Does everything.
        Admin = "admin",
    }

    /// Whether an app's callbacks are accepted.
    AppStatus in ["enterprise_wechat_config.status"] => {
        /// They are.
        Enabled = "enabled",
        /// They are refused, and the app is not used for calls.
        Disabled = "disabled",
    }
}
