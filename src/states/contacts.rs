//! Contacts between members and customers, and how a customer was matched to one of the business.

words! {
    /// How a contact stands. Among events of one second the greater wins; the words sort as the variants do.
    ContactStatus in ["customer_wechat_contact.status"] => {
        /// An edit told us of it; nothing has said how it stands.
        Assumed = "assumed",
        /// They are contacts.
        Contacted = "contacted",
        /// The member deleted the customer.
        DeletedByMember = "deleted_by_member",
        /// WeCom does not name them any more, and no callback has said why.
        Gone = "gone",
        /// The customer deleted the member.
        Lost = "lost",
        /// A transfer gave the customer to another member.
        TransferredOut = "transferred_out",
    }

    /// What led from a person in WeChat to a customer of the business.
    MatchedBy in ["customer_wechat_contact.matched_by", "customer_match.matched_by"] => {
        /// An administrator decided it.
        Admin = "admin",
        /// The contact way's `state` names the customer.
        State = "state",
        /// Another member's contact with the same person is matched.
        ExternalUserId = "external_userid",
        /// A contact with the same unionid is matched.
        UnionId = "unionid",
        /// A phone number in the remarks is one of a work order.
        Mobile = "mobile",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contact_statuses_sort_the_same_as_words_and_as_variants() {
        assert!(ContactStatus::ALL.is_sorted());
        assert!(ContactStatus::WORDS.is_sorted());
    }
}
