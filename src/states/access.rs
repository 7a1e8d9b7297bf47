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

    /// Whether an app accepts callbacks.
    AppStatus in ["enterprise_wechat_config.status"] => {
        /// It accepts them.
        Enabled = "enabled",
        /// It refuses them, and is not used for API calls.
        Disabled = "disabled",
    }
}
