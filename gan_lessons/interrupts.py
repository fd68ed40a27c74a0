"""Interrupts (SIGINT: Ctrl-C, a notebook's stop button) that wait until what they would cut in half is done."""

import _thread
import inspect
import signal
import sys
import threading
import time
from types import FrameType
from typing import Self


class InterruptsHeldBack:
    """Inside `with InterruptsHeldBack() as held:` an interrupt only sets `held.pressed`; it comes through when the block ends.

    A second interrupt raises KeyboardInterrupt at once. Blocks may lie within one another: the inner one hands its
    interrupt to the outer one. Only the main thread receives signals, so that elsewhere this does nothing, nor where the
    handler is not one of Python's, which could not be put back.

    A generator that waits at a `yield` inside the block may never be asked again. So an interrupt is held back only while
    the function that runs the block, or loops over the generator that does, still runs; otherwise it is passed on. Where
    that function leaves its loop early (`break`, `return`), the interrupt comes through once the generator is closed.
    """

    def __enter__(self) -> Self:
        self.pressed, self._outer = False, None
        self._handler = self._handle  # one object, to be known again
        self.adopt(sys._getframe(1))
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is not None:
            self._outer = signal.signal(signal.SIGINT, self._handler)
        return self

    def adopt(self, frame: FrameType | None) -> None:
        """Remember who runs the block: this frame, or for a generator's the first one above that is none."""
        while frame and frame.f_code.co_flags & inspect.CO_GENERATOR:
            frame = frame.f_back
        # A frame kept would keep its variables, the generator among them, for ever. Its code is looked at besides, since the
        # next function may get the place in memory of one that has ended.
        self._owner = (id(frame), frame and frame.f_code)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._left_behind(frame):
            signal.signal(signal.SIGINT, self._outer)
            signal.raise_signal(number)
        elif self.pressed:
            self.pressed = False
            raise KeyboardInterrupt
        else:
            self.pressed = True

    def _left_behind(self, frame: FrameType | None) -> bool:
        while frame and (id(frame), frame.f_code) != self._owner:
            frame = frame.f_back
        return frame is None

    def __exit__(self, *exception) -> None:
        if self._outer is None or threading.current_thread() is not threading.main_thread():
            return
        if signal.getsignal(signal.SIGINT) is self._handler:  # a notebook's kernel sets its own between two cells
            signal.signal(signal.SIGINT, self._outer)
        if self.pressed and isinstance(sys.exception(), GeneratorExit):
            # Python prints what is raised while a generator is closed, and forgets it.
            threading.Thread(target=_interrupt_after, args=(_outermost_generator(sys._getframe(1)),), daemon=True).start()
        elif self.pressed:
            signal.raise_signal(signal.SIGINT)


def _outermost_generator(frame: FrameType) -> FrameType:
    while frame.f_back and frame.f_back.f_code.co_flags & inspect.CO_GENERATOR:
        frame = frame.f_back
    return frame


def _interrupt_after(frame: FrameType) -> None:
    """Interrupt the main thread as soon as this frame of its has ended."""
    main = threading.main_thread().ident or 0
    while _is_below(frame, sys._current_frames().get(main)):
        time.sleep(0.001)
    _thread.interrupt_main()


def _is_below(frame: FrameType, top: FrameType | None) -> bool:
    while top and top is not frame:
        top = top.f_back
    return top is not None
