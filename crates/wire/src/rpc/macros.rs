//! Records and variants of WIT, written once: the type, and its [`Payload`](super::Payload) in the order of WIT.

/// A record of WIT: `field: Type = "its-name"`.
macro_rules! record {
    (
        $(#[$meta:meta])*
        $name:ident { $($(#[$doc:meta])* $field:ident: $ty:ty = $text:literal),* $(,)? }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            $($(#[$doc])* pub $field: $ty,)*
        }

        impl $crate::rpc::Payload for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                $($crate::rpc::Payload::encode(&self.$field, out);)*
            }

            fn decode(
                from: &mut $crate::value::Decoder<'_>,
            ) -> Result<Self, $crate::value::DecodeError> {
                Ok(Self {
                    $($field: from.field($text, <$ty as $crate::rpc::Payload>::decode)?,)*
                })
            }
        }
    };
}

/// A variant of WIT: `Case(Type) = "its-name"` or `Case = "its-name"`.
macro_rules! variant {
    (
        $(#[$meta:meta])*
        $name:ident { $($(#[$doc:meta])* $case:ident $(($ty:ty))? = $text:literal),* $(,)? }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$doc])* $case $(($ty))?,)*
        }

        const _: () = {
            /// The number of each case.
            enum Index {
                $($case,)*
            }

            impl $name {
                /// The names of the cases in WIT, in their order.
                pub const CASES: &'static [&'static str] = &[$($text),*];

                /// The name of the case in WIT.
                pub fn case(&self) -> &'static str {
                    match self {
                        $(Self::$case { .. } => $text,)*
                    }
                }
            }

            impl $crate::rpc::Payload for $name {
                fn encode(&self, out: &mut Vec<u8>) {
                    let index = match self {
                        $(Self::$case { .. } => Index::$case as u32,)*
                    };
                    $crate::value::put::unsigned(index, out);
                    $($(
                        if let Self::$case(payload) = self {
                            <$ty as $crate::rpc::Payload>::encode(payload, out);
                        }
                    )?)*
                }

                fn decode(
                    from: &mut $crate::value::Decoder<'_>,
                ) -> Result<Self, $crate::value::DecodeError> {
                    let index = from.case(Self::CASES.len())?;
                    $(
                        if index == Index::$case as usize {
                            return Ok(Self::$case $((
                                from.field($text, <$ty as $crate::rpc::Payload>::decode)?
                            ))?);
                        }
                    )*
                    // `case` returns the number of one of them.
                    Err($crate::value::no_case(index, Self::CASES.len()))
                }
            }
        };
    };
}

/// The parameters of a function of WIT, which are a record, with its name and what it returns.
macro_rules! call {
    (
        $(#[$meta:meta])*
        $name:ident { $($fields:tt)* } = $function:literal @ $instance:expr => $result:ty
        $(, params at $params:expr)? $(, results at $results:expr)?
    ) => {
        record! {
            $(#[$meta])*
            $name { $($fields)* }
        }

        impl $crate::rpc::Call for $name {
            const INSTANCE: &'static str = $instance;
            const FUNCTION: &'static str = $function;
            $(const PARAM_PATHS: &'static [$crate::rpc::IndexPath] = &$params;)?
            $(const RESULT_PATHS: &'static [$crate::rpc::IndexPath] = &$results;)?
            type Result = $result;
        }
    };
}

pub(super) use {call, record, variant};
