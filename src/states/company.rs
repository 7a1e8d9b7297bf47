//! Customer tags, approvals, and what WeCom warns of.

words! {
    /// What a row of the list of customer tags is.
    TagKind in ["corp_tag.kind"] => {
        /// A tag.
        Tag = "tag",
        /// A group of tags.
        TagGroup = "tag_group",
    }

    /// Which approval engine owns a form.
    ApprovalEngine in ["approval.engine"] => {
        /// The engine inside the company's own app.
        Own = "own",
        /// The 审批 app.
        System = "system",
    }

    /// What WeCom warns an app of.
    AlertKind in ["app_alert.kind"] => {
        /// Few or no uses of customer acquisition links are left.
        AcquisitionBalance = "acquisition_balance",
        /// No member of a customer acquisition link can add customers now.
        AcquisitionLink = "acquisition_link",
        /// Uses of customer acquisition links expire soon.
        AcquisitionQuota = "acquisition_quota",
        /// WeCom's own addresses changed: firewalls that list them must be updated.
        PlatformAddresses = "platform_addresses",
        /// The app lost its access to customer data.
        Restricted = "restricted",
        /// It will lose it.
        RestrictionAnnounced = "restriction_announced",
        /// The app is suspended.
        Suspended = "suspended",
        /// It will be suspended.
        SuspensionAnnounced = "suspension_announced",
    }
}
