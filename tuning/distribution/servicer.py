"""keras-tuner's Oracle service, answered by a chief."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import grpc

from tuning.distribution.protocol import Caller, messages, record_in
from zoo.errors import ZooError

if TYPE_CHECKING:
    from tuning.distribution.chief import Chief

Answer = TypeVar("Answer")


class Servicer:
    """The methods that keras-tuner's generated code calls, in threads of the server.

    Args:
        chief: Who answers.
    """

    def __init__(self, chief: Chief) -> None:
        self._chief = chief

    def GetSpace(self, _request: Any, context: Any) -> Any:
        """The space, and the folder's token."""
        return messages().service_pb2.GetSpaceResponse(hyperparameters=self._answer(context, self._chief.space))

    def UpdateSpace(self, _request: Any, _context: Any) -> Any:
        """Nothing: the space is the plan's."""
        return messages().service_pb2.UpdateSpaceResponse()

    def CreateTrial(self, request: Any, context: Any) -> Any:
        """A trial to run."""
        caller = replace(self._caller(context), worker=request.tuner_id)
        trial = self._answer(context, lambda: self._chief.deal(caller))
        return messages().service_pb2.CreateTrialResponse(trial=trial)

    def UpdateTrial(self, request: Any, context: Any) -> Any:
        """A sign of life."""
        caller, metadata = self._caller(context), dict(context.invocation_metadata())
        trial = self._answer(context, lambda: self._chief.tell(caller, request, metadata))
        return messages().service_pb2.UpdateTrialResponse(trial=trial)

    def EndTrial(self, request: Any, context: Any) -> Any:
        """An outcome."""
        caller = self._caller(context)
        record = self._read(context, lambda: record_in(request.trial))
        self._answer(context, lambda: self._chief.end(caller, request.trial, record))
        return messages().service_pb2.EndTrialResponse()

    def GetTrial(self, request: Any, context: Any) -> Any:
        """A trial as it stands."""
        trial = self._read(context, lambda: self._chief.trial(request.trial_id))
        return messages().service_pb2.GetTrialResponse(trial=trial)

    def GetBestTrials(self, request: Any, context: Any) -> Any:
        """Completed trials, the best first."""
        trials = self._read(context, lambda: self._chief.best(request.num_trials))
        return messages().service_pb2.GetBestTrialsResponse(trials=trials)

    def _caller(self, context: Any) -> Caller:
        caller = Caller.of(dict(context.invocation_metadata()))
        if reason := self._chief.refusal(caller):
            context.abort(grpc.StatusCode.ALREADY_EXISTS, reason)
        return caller

    def _answer(self, context: Any, ask: Callable[[], Answer]) -> Answer:
        """The chief's answer; its failure is the caller's error line, and ends the chief too."""
        try:
            return ask()
        except Exception as error:
            self._chief.fail(error)
            reason = str(error) if isinstance(error, ZooError) else f"{type(error).__name__}: {error}"
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"the chief failed: {reason}")
            raise

    def _read(self, context: Any, ask: Callable[[], Answer]) -> Answer:
        """An answer that changes nothing; what is wrong with it is the caller's affair alone."""
        try:
            return ask()
        except ZooError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            raise
