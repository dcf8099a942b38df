//! The functions that a provider serves: names, and what answers them.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use wasmcloud_lattice::rpc::{Accepted, Receiver, RpcError, Sender};
use wasmcloud_wire::rpc::{Call, FunctionName, IndexPath, InstanceName, InvalidSubject, Payload as _};
use wasmcloud_wire::value::DecodeError;

use crate::context::CallContext;
use crate::failure::Failure;
use crate::streams::{ByteReader, ByteWriter};

/// What answers a call, from its bytes to its bytes.
pub(crate) type Handler<P> =
    Arc<dyn Fn(Arc<P>, CallContext, Arc<Accepted>) -> BoxFuture<'static, Result<(), Failure>> + Send + Sync>;

/// One function.
pub(crate) struct Function<P> {
    pub(crate) instance: Option<InstanceName>,
    pub(crate) name: FunctionName,
    /// Where its results have streams and futures, which end with the call.
    pub(crate) result_paths: &'static [IndexPath],
    pub(crate) handler: Handler<P>,
}

/// The functions of a provider, added one by one.
///
/// A handler runs until it returns, the deadline of the call passes, or the caller loses interest; in the last two
/// cases it is dropped at an `.await`. Work that must not stop in the middle belongs into `tokio::spawn`, and work that
/// blocks into `tokio::task::spawn_blocking`.
pub struct Functions<P> {
    list: Vec<Function<P>>,
    invalid: Option<InvalidSubject>,
}

impl<P: Send + Sync + 'static> Functions<P> {
    pub(crate) fn new() -> Self {
        Self {
            list: Vec::new(),
            invalid: None,
        }
    }

    pub(crate) fn into_list(self) -> Result<Vec<Function<P>>, InvalidSubject> {
        match self.invalid {
            None => Ok(self.list),
            Some(error) => Err(error),
        }
    }

    /// Serves a function of a known interface. The type of the handler's last parameter says which:
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use wasmcloud_provider_sdk::{CallContext, Functions};
    /// use wasmcloud_provider_sdk::rpc::keyvalue::{Error, Exists};
    ///
    /// # struct Store;
    /// impl Store {
    ///     async fn exists(self: Arc<Self>, _context: CallContext, call: Exists) -> Result<bool, Error> {
    ///         Ok(call.key == "a")
    ///     }
    /// }
    ///
    /// fn functions(functions: Functions<Store>) -> Functions<Store> {
    ///     functions.on(Store::exists)
    /// }
    /// ```
    #[must_use]
    pub fn on<C, H, W>(self, handler: H) -> Self
    where
        C: Call + Send + 'static,
        C::Result: Send,
        H: Fn(Arc<P>, CallContext, C) -> W + Send + Sync + 'static,
        W: Future<Output = C::Result> + Send + 'static,
    {
        self.try_on(move |provider, context, call: C| handler(provider, context, call).map(Ok))
    }

    /// Serves a function of a known interface with a handler that may fail where the interface has no error for it.
    #[must_use]
    pub fn try_on<C, H, W>(self, handler: H) -> Self
    where
        C: Call + Send + 'static,
        C::Result: Send,
        H: Fn(Arc<P>, CallContext, C) -> W + Send + Sync + 'static,
        W: Future<Output = Result<C::Result, Failure>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        self.add(
            C::INSTANCE,
            C::FUNCTION,
            C::RESULT_PATHS,
            move |provider, context, accepted| {
                let handler = Arc::clone(&handler);
                async move {
                    let call = params::<C>(&accepted).await?;
                    let results = handler(provider, context, call).await?;
                    Ok(accepted.finish(results.to_bytes().into()).await?)
                }
            },
        )
    }

    /// Serves a function of a known interface whose parameters or results have streams or futures. The handler answers
    /// with [`Streams::answer`] and goes on reading and writing.
    #[must_use]
    pub fn on_streams<C, H, W>(self, handler: H) -> Self
    where
        C: Call + Send + 'static,
        H: Fn(Arc<P>, CallContext, C, Streams<C>) -> W + Send + Sync + 'static,
        W: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        self.add(
            C::INSTANCE,
            C::FUNCTION,
            C::RESULT_PATHS,
            move |provider, context, accepted| {
                let handler = Arc::clone(&handler);
                async move {
                    let call = params::<C>(&accepted).await?;
                    let answered = Arc::new(AtomicBool::new(false));
                    let streams = Streams {
                        accepted,
                        answered: Arc::clone(&answered),
                        call: PhantomData,
                    };
                    handler(provider, context, call, streams).await?;
                    match answered.load(Ordering::Acquire) {
                        true => Ok(()),
                        false => Err(Failure::internal("the provider ended the call without an answer")),
                    }
                }
            },
        )
    }

    /// Serves a function of an interface of your own, from bytes to bytes. [`value`](crate::value) reads and writes
    /// them by type, and [`Payload`](crate::rpc::Payload) is for types written by hand.
    ///
    /// `instance` is the name of the interface with its version, or empty for a function without one.
    #[must_use]
    pub fn on_bytes<H, W>(self, instance: &str, function: &str, handler: H) -> Self
    where
        H: Fn(Arc<P>, CallContext, Bytes) -> W + Send + Sync + 'static,
        W: Future<Output = Result<Vec<u8>, Failure>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        self.add(instance, function, &[], move |provider, context, accepted| {
            let handler = Arc::clone(&handler);
            async move {
                let params = accepted.params().await?;
                let results = handler(provider, context, params).await?;
                Ok(accepted.finish(results.into()).await?)
            }
        })
    }

    fn add<H, W>(
        mut self,
        instance: &str,
        function: &str,
        result_paths: &'static [IndexPath],
        handler: H,
    ) -> Self
    where
        H: Fn(Arc<P>, CallContext, Arc<Accepted>) -> W + Send + Sync + 'static,
        W: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let instance = match instance {
            "" => Ok(None),
            instance => instance.parse().map(Some),
        };
        let named = instance.and_then(|instance| Ok((instance, function.parse()?)));
        match named {
            Ok((instance, name)) => {
                // The last one counts, as it does for a field that is set twice.
                self.list
                    .retain(|known| known.instance != instance || known.name != name);
                self.list.push(Function {
                    instance,
                    name,
                    result_paths,
                    handler: Arc::new(move |provider, context, accepted| {
                        handler(provider, context, accepted).boxed()
                    }),
                });
            }
            Err(error) => {
                self.invalid.get_or_insert(error);
            }
        }
        self
    }
}

/// The parameters of a call. A caller of v1 does not say whether they are all there; their type does.
async fn params<C: Call>(accepted: &Accepted) -> Result<C, Failure> {
    if !accepted.is_whole() {
        match C::from_bytes(accepted.first()) {
            Err(DecodeError::Incomplete { .. }) => {}
            read => return read.map_err(|error| Failure::params(C::FUNCTION, &error)),
        }
    }
    let bytes = accepted.params().await?;
    C::from_bytes(&bytes).map_err(|error| Failure::params(C::FUNCTION, &error))
}

/// What belongs to a call beside its parameters and results. Paths say where in them it stands, as
/// [`Call::PARAM_PATHS`] and [`Call::RESULT_PATHS`] have them.
pub struct Streams<C> {
    accepted: Arc<Accepted>,
    answered: Arc<AtomicBool>,
    call: PhantomData<fn(C)>,
}

impl<C: Call> Streams<C> {
    /// A `stream<u8>` in the parameters.
    pub fn read(&self, path: IndexPath) -> ByteReader {
        ByteReader::new(self.receiver(path))
    }

    /// What the caller sends on a path, as it travels: of a stream or future of anything else than bytes.
    pub fn receiver(&self, path: IndexPath) -> Receiver {
        self.accepted.receiver(&path.to_string())
    }

    /// Answers the call. Streams in the results go on.
    pub async fn answer(&self, results: &C::Result) -> Result<(), RpcError> {
        self.answered.store(true, Ordering::Release);
        self.accepted.finish(results.to_bytes().into()).await
    }

    /// A `stream<u8>` in the results.
    pub fn write(&self, path: IndexPath) -> ByteWriter {
        ByteWriter::new(self.sender(path))
    }

    /// Sends to the caller on a path, as it travels: a stream or future of anything else than bytes.
    pub fn sender(&self, path: IndexPath) -> Sender {
        self.accepted.sender(&path.to_string())
    }
}
