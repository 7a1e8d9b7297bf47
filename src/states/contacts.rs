//! Contacts between members and customers, and how a customer was matched to one of the business.

words! {
    /// The status of a contact. Among events of one second the greater wins; the words sort as the variants do.
    ContactStatus in ["customer_wechat_contact.status"] => {
        /// Only an edit mentions the contact; its status is unknown.
        Assumed = "assumed",
        /// They are contacts.
        Contacted = "contacted",
        /// The member deleted the customer.
        DeletedByMember = "deleted_by_member",
        /// WeCom no longer lists the contact, and no callback said why.
        Gone = "gone",
        /// The customer deleted the member.
        Lost = "lost",
        /// A transfer gave the customer to another member.
        TransferredOut = "transferred_out",
    }

    /// The criterion that matched a person to a customer of the business.
    MatchedBy in ["customer_wechat_contact.matched_by", "customer_match.matched_by", "kf_customer.matched_by"] => {
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
