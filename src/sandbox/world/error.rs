//! Why an action of people with their phones, or of an administrator, is not possible.

/// Why scanning a code made no contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// There is no such contact way, or it was deleted.
    #[error("there is no such contact way")]
    Unknown,
    /// It was temporary.
    #[error("the contact way has expired")]
    Expired,
    /// Nobody it leads to is active any more.
    #[error("the contact way leads to nobody")]
    Nobody,
    /// The customer has the member already: only a chat opens.
    #[error("they are contacts already")]
    AlreadyContact,
}

/// Why an action is not possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The member is not here.
    #[error("there is no such member")]
    NoMember,
    /// The two are no contacts.
    #[error("they are no contacts")]
    NoContact,
    /// The two are contacts already.
    #[error("they are contacts already")]
    AlreadyContact,
    /// There is no such tag, or group of tags.
    #[error("there is no such tag")]
    NoTag,
    /// There is no such customer group, or it was dissolved.
    #[error("there is no such group")]
    NoGroup,
    /// They are in the group already, or are not.
    #[error("they are in the group already, or are not")]
    InGroup,
    /// Somebody else has the id.
    #[error("somebody else has this id")]
    IdTaken,
}
