//! Calls the functions of WeCom's library (`libWeWorkFinanceSdk_C.so`). Its path and what it is asked come from `work`;
//! what comes out is copied before the library frees it. What messages mean is not known here.

#![expect(unsafe_code, reason = "WeCom's archive library is closed and has a C interface")]

use std::{
    error::Error,
    ffi::{CString, c_char, c_int, c_uint, c_ulonglong, c_void},
    fmt,
    path::Path,
};

use libloading::Library;

/// The library's code for parameters that it cannot use.
const BAD_PARAMETER: c_int = 10_000;

/// The library's code for a system call that failed; we use it where it returns no object.
const SYSTEM_CALL: c_int = 10_003;

type Handle = *mut c_void;
type Text = *const c_char;

/// The library, initialised for a corp. It belongs to one thread.
pub(crate) struct Sdk {
    functions: Functions,
    handle: Handle,
    proxy: CString,
    passwd: CString,
}

/// A piece of a file.
pub(crate) struct Piece {
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
    /// Where the next piece begins.
    pub(crate) next: String,
    /// Whether it is the last.
    pub(crate) is_last: bool,
}

/// Why the library cannot be used.
#[derive(Debug)]
pub(crate) enum OpenError {
    /// It does not load.
    Library(libloading::Error),
    /// It is not the library that we know.
    Symbol(&'static str),
    /// It refuses the corp or the secret.
    Init(c_int),
}

impl OpenError {
    /// The library's own code, 0 if it was not reached.
    pub(crate) fn code(&self) -> c_int {
        match self {
            Self::Init(code) => *code,
            Self::Library(_) | Self::Symbol(_) => 0,
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Library(error) => match error.source() {
                Some(source) => write!(f, "the library does not load: {source}"),
                None => write!(f, "the library does not load: {error}"),
            },
            Self::Symbol(name) => write!(f, "the library has no symbol {name}"),
            Self::Init(code) => write!(f, "Init of the library failed with {code}"),
        }
    }
}

/// Declares the functions with their names and types, and looks all of them up.
macro_rules! functions {
    ($($field:ident = $name:literal: fn($($argument:ty),*) $(-> $result:ty)?;)*) => {
        struct Functions {
            $($field: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
        }

        impl Functions {
            fn find(library: &Library) -> Result<Self, OpenError> {
                // SAFETY: the types are those of WeCom's header.
                unsafe {
                    Ok(Self { $($field: *library.get($name).map_err(|_| OpenError::Symbol($name))?,)* })
                }
            }
        }
    };
}

functions! {
    new_sdk = "NewSdk": fn() -> Handle;
    init = "Init": fn(Handle, Text, Text) -> c_int;
    get_chat_data = "GetChatData": fn(Handle, c_ulonglong, c_uint, Text, Text, c_int, Handle) -> c_int;
    decrypt_data = "DecryptData": fn(Text, Text, Handle) -> c_int;
    get_media_data = "GetMediaData": fn(Handle, Text, Text, Text, Text, c_int, Handle) -> c_int;
    new_slice = "NewSlice": fn() -> Handle;
    free_slice = "FreeSlice": fn(Handle);
    slice_content = "GetContentFromSlice": fn(Handle) -> Text;
    slice_length = "GetSliceLen": fn(Handle) -> c_int;
    new_media = "NewMediaData": fn() -> Handle;
    free_media = "FreeMediaData": fn(Handle);
    media_index = "GetOutIndexBuf": fn(Handle) -> Text;
    media_index_length = "GetIndexLen": fn(Handle) -> c_int;
    media_data = "GetData": fn(Handle) -> Text;
    media_data_length = "GetDataLen": fn(Handle) -> c_int;
    is_media_finished = "IsMediaDataFinish": fn(Handle) -> c_int;
}

impl Sdk {
    /// Loads the library and initialises it for a corp.
    pub(crate) fn open(path: &Path, corpid: &str, secret: &str, proxy: &str, passwd: &str) -> Result<Self, OpenError> {
        let strings = || Some((text(corpid).ok()?, text(secret).ok()?, text(proxy).ok()?, text(passwd).ok()?));
        let (corpid, secret, proxy, passwd) = strings().ok_or(OpenError::Init(BAD_PARAMETER))?;
        // SAFETY: the administrator chose the library, and this process exists to run its code.
        let library = unsafe { Library::new(path) }.map_err(OpenError::Library)?;
        // It stays loaded: its functions are valid then, and unloading such a library may crash.
        let functions = Functions::find(Box::leak(Box::new(library)))?;
        // SAFETY: the strings are NUL-terminated and live during the call.
        let (handle, code) = unsafe {
            let handle = (functions.new_sdk)();
            if handle.is_null() {
                return Err(OpenError::Init(SYSTEM_CALL));
            }
            (handle, (functions.init)(handle, corpid.as_ptr(), secret.as_ptr()))
        };
        if code != 0 {
            return Err(OpenError::Init(code));
        }
        Ok(Self { functions, handle, proxy, passwd })
    }

    /// The messages that follow `seq`, as the JSON text that WeCom sends; or the library's code.
    pub(crate) fn pull(&self, seq: u64, limit: u32, timeout_s: c_int) -> Result<Vec<u8>, c_int> {
        // SAFETY: the handle is initialised, and the strings live during the call.
        self.with_slice(|slice| unsafe {
            let (proxy, passwd) = (self.proxy.as_ptr(), self.passwd.as_ptr());
            (self.functions.get_chat_data)(self.handle, seq, limit, proxy, passwd, timeout_s, slice)
        })
    }

    /// A message's plaintext, or the library's code.
    pub(crate) fn decrypt(&self, key: &str, message: &str) -> Result<Vec<u8>, c_int> {
        let (key, message) = (text(key)?, text(message)?);
        // SAFETY: the strings live during the call.
        self.with_slice(|slice| unsafe { (self.functions.decrypt_data)(key.as_ptr(), message.as_ptr(), slice) })
    }

    /// The piece of a file that begins at `index`, or the library's code.
    pub(crate) fn media(&self, index: &str, file: &str, timeout_s: c_int) -> Result<Piece, c_int> {
        let (index, file, functions) = (text(index)?, text(file)?, &self.functions);
        // SAFETY: the handle is initialised, the strings live during the call, and what the library made is copied
        // before it is freed.
        unsafe {
            let media = (functions.new_media)();
            if media.is_null() {
                return Err(SYSTEM_CALL);
            }
            let (proxy, passwd) = (self.proxy.as_ptr(), self.passwd.as_ptr());
            let (index, file) = (index.as_ptr(), file.as_ptr());
            let code = (functions.get_media_data)(self.handle, index, file, proxy, passwd, timeout_s, media);
            let piece = if code == 0 {
                let next = copy((functions.media_index)(media), (functions.media_index_length)(media));
                Ok(Piece {
                    bytes: copy((functions.media_data)(media), (functions.media_data_length)(media)),
                    next: String::from_utf8_lossy(&next).into_owned(),
                    is_last: (functions.is_media_finished)(media) != 0,
                })
            } else {
                Err(code)
            };
            (functions.free_media)(media);
            piece
        }
    }

    /// Lets a call fill a slice, and copies it.
    fn with_slice(&self, call: impl FnOnce(Handle) -> c_int) -> Result<Vec<u8>, c_int> {
        let functions = &self.functions;
        // SAFETY: the slice is the library's own and is freed once, after it was copied.
        unsafe {
            let slice = (functions.new_slice)();
            if slice.is_null() {
                return Err(SYSTEM_CALL);
            }
            let code = call(slice);
            let content = if code == 0 {
                Ok(copy((functions.slice_content)(slice), (functions.slice_length)(slice)))
            } else {
                Err(code)
            };
            (functions.free_slice)(slice);
            content
        }
    }
}

/// Copies bytes of the library. No bytes if it has none.
///
/// # Safety
///
/// `from` is null or points to at least `length` bytes.
unsafe fn copy(from: Text, length: c_int) -> Vec<u8> {
    match usize::try_from(length) {
        // SAFETY: as above.
        Ok(length) if length > 0 && !from.is_null() => unsafe {
            std::slice::from_raw_parts(from.cast::<u8>(), length).to_vec()
        },
        _ => Vec::new(),
    }
}

/// A string for C. One with a NUL inside is refused as the library would refuse it.
fn text(text: &str) -> Result<CString, c_int> {
    CString::new(text).map_err(|_| BAD_PARAMETER)
}
