# SPDX-License-Identifier: MIT
"""GDB commands that show the tasks of a stopped program or a core file, and their backtraces.

    (gdb) source tools/whorl-gdb.py
    (gdb) whorl tasks
    run of thread 1, 3 tasks:
      task 3 reader-1: waits for read fd 5  (spawned as reader at server.c:40)
      task 2 writer at server.c:41: running
      task 1 root: waits for group
    (gdb) whorl bt 3

Needs whorl's symbols, in the program or in libwhorl.so, but not its debug information. A run that
is embedded in another event loop (embed.h) is visible only while that loop runs it.
"""
import re
import struct

import gdb
import gdb.unwinder

TASK_MAGIC = 0x77686f726c746173
NAME_MAX = 256

# For each machine: the stack pointer, the frame pointer and the program counter.
REGISTERS = {'i386:x86-64': ('rsp', 'rbp', 'rip'), 'aarch64': ('sp', 'x29', 'pc')}

# glibc's jmp_buf on x86-64: the registers which it stores as they are, and those which it encrypts
# with pointer_guard.
JMP_BUF_PLAIN = (('rbx', 0), ('r12', 2), ('r13', 3), ('r14', 4), ('r15', 5))
JMP_BUF_GUARDED = (('rsp', 6), ('rbp', 1), ('rip', 7))


def read(address, size):
    return bytes(gdb.selected_inferior().read_memory(address, size))


def word(address):
    return struct.unpack('@Q', read(address, 8))[0]


def half(address):
    return struct.unpack('@I', read(address, 4))[0]


def text(address):
    """Returns the string at an address. Control characters are escaped."""
    data = b''
    while address and len(data) < NAME_MAX:
        byte = read(address + len(data), 1)
        if byte == b'\0':
            break
        data += byte
    return re.sub(r'[\x00-\x1f\x7f]', lambda c: '\\x%02x' % ord(c.group()),
                  data.decode(errors='replace'))


def architecture():
    return gdb.selected_inferior().architecture().name()


def evaluate(expression):
    return int(gdb.parse_and_eval(expression)) & (1 << 64) - 1


class Layout:
    """The offsets of fields in the library's structs, read from three tables in the library."""

    STACK = ('classes', 'class_size', 'class_slabs', 'slab_next', 'slab_base', 'slab_stride',
             'slab_carved', 'colours', 'slab_shift', 'task_size')
    SCHED = ('current', 'stacks', 'in_jmp_buf', 'context', 'waiter', 'what', 'in_use', 'id', 'magic',
             'site', 'name', 'waiter_kind')

    def __init__(self):
        for table, names in (('stack', self.STACK), ('sched', self.SCHED)):
            try:
                address = evaluate('(long)&%s_layout_for_gdb' % table)
            except gdb.error:
                raise gdb.GdbError('No whorl here, or no symbols of it (is it stripped?).')
            for i, name in enumerate(names):
                setattr(self, name, half(address + 4 * i))
        self.fds = {}  # for kinds of waiters: where their descriptor is
        for table in ('op', 'receiver'):
            try:  # a program without I/O does not contain these tables
                address = evaluate('(long)&%s_layout_for_gdb' % table)
                self.fds[word(address)] = word(address + 8)
            except gdb.error:
                pass


class Task:
    def __init__(self, layout, address, is_running):
        self.layout = layout
        self.address = address
        self.is_running = is_running
        self.id = word(address + layout.id)
        self.name = text(address + layout.name)
        self.site = text(word(address + layout.site))
        self.waiter = word(address + layout.waiter)

    def title(self):
        return 'task %d %s' % (self.id, self.name or self.site)

    def state(self):
        layout = self.layout
        if self.is_running:
            return 'running'
        if not self.waiter:
            return 'ready'
        what = text(word(self.address + layout.what))
        kind = word(self.waiter + layout.waiter_kind)
        if kind in layout.fds:
            fd = struct.unpack('@i', read(self.waiter + layout.fds[kind], 4))[0]
            if fd >= 0:
                what += ' fd %d' % fd
        return 'waits for ' + what

    def line(self):
        spawned = '  (spawned as %s)' % self.site if self.name and self.site else ''
        return '%s: %s%s' % (self.title(), self.state(), spawned)

    def registers(self):
        """Returns the registers which the next switch to this task restores, by name."""
        context = self.address + self.layout.context
        if self.layout.in_jmp_buf:
            return jmp_buf_registers(context)
        names = REGISTERS[architecture()]
        return {name: word(context + 8 * i) for i, name in enumerate(names)}


def jmp_buf_registers(address):
    if architecture() != 'i386:x86-64':
        raise gdb.GdbError('The ucontext switch is supported only on x86-64.')
    guard = word(evaluate('$fs_base') + 0x30)
    registers = {name: word(address + 8 * i) for name, i in JMP_BUF_PLAIN}
    for name, i in JMP_BUF_GUARDED:
        hidden = word(address + 8 * i)
        registers[name] = (hidden >> 17 | hidden << 47 & (1 << 64) - 1) ^ guard
    return registers


class Run:
    """A thread's scheduler."""

    def __init__(self, layout, thread, sched):
        self.layout = layout
        self.thread = thread
        self.sched = sched

    def tasks(self):
        layout, found = self.layout, []
        current = word(self.sched + layout.current)
        for i in range(layout.classes):
            slab = word(self.sched + layout.stacks + i * layout.class_size + layout.class_slabs)
            while slab:
                base, stride = word(slab + layout.slab_base), word(slab + layout.slab_stride)
                shift = word(slab + layout.slab_shift)
                for k in range(half(slab + layout.slab_carved)):
                    high = base + (k + 1) * stride
                    record = high - k % layout.colours * shift - layout.task_size & ~63
                    if word(record + layout.magic) != TASK_MAGIC:
                        gdb.write('no task record at 0x%x: memory is missing or overwritten\n' %
                                  record)
                    elif read(record + layout.in_use, 1) != b'\0':
                        found.append(Task(layout, record, record == current))
                slab = word(slab + layout.slab_next)
        return sorted(found, key=lambda task: task.id)


class Selection:
    """Restores the selected thread and frame at the end of the block."""

    def __enter__(self):
        self.thread = gdb.selected_thread()
        if not self.thread:
            raise gdb.GdbError('The program is not running, and there is no core file.')
        self.level = gdb.selected_frame().level()
        return self

    def __exit__(self, *_):
        self.thread.switch()
        gdb.execute('frame %d' % self.level, to_string=True)


def runs():
    layout, found = Layout(), []
    with Selection():
        for thread in sorted(gdb.selected_inferior().threads(), key=lambda t: t.num):
            thread.switch()
            try:
                sched = evaluate('*(long *)&sched_of_thread')
            except gdb.error:
                continue  # the thread is being created, or libthread_db is missing
            if sched:
                found.append(Run(layout, thread, sched))
    if not found:
        raise gdb.GdbError('No thread has a run.')
    return found


class FrameId:
    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


class Unwinder(gdb.unwinder.Unwinder):
    """While a task is set, its frames appear as the callers of the thread's innermost frame. This
    also works for a core file, whose registers cannot be changed: an unwinder may define the
    registers of a frame's caller."""

    def __init__(self):
        super().__init__('whorl')
        self.registers = None

    def set(self, registers):
        self.names = REGISTERS[architecture()]
        self.sp = evaluate('$sp')
        self.registers = registers
        gdb.invalidate_cached_frames()

    def clear(self):
        self.registers = None
        gdb.invalidate_cached_frames()

    def __call__(self, pending):
        if not self.registers:
            return None
        sp, _, pc = (pending.read_register(name) for name in self.names)
        if int(sp) & (1 << 64) - 1 != self.sp:
            return None
        below = gdb.Value(self.registers[self.names[0]] - 16).cast(sp.type)
        info = pending.create_unwind_info(FrameId(below, pc))
        for name, value in self.registers.items():
            info.add_saved_register(name, gdb.Value(value).cast(pending.read_register(name).type))
        return info


unwinder = Unwinder()
gdb.unwinder.register_unwinder(None, unwinder, replace=True)


def own_frames(sp_name, sp):
    """Returns the number of frames that belong to the thread: its innermost frame and the functions
    inlined into it."""
    count, frame = 0, gdb.newest_frame()
    while frame and int(frame.read_register(sp_name)) & (1 << 64) - 1 == sp:
        count, frame = count + 1, frame.older()
    return count


def is_start(pc):
    """Whether `pc` is the first instruction of a function: the task has not begun."""
    return re.search(r'^\S+ in section', gdb.execute('info symbol 0x%x' % pc, to_string=True))


def print_backtrace(skipped):
    """Prints the output of `backtrace` without the first `skipped` frames and without the nameless
    frame at the end."""
    number = None
    for line in gdb.execute('backtrace', to_string=True).splitlines():
        match = re.match(r'#(\d+) +(.*)', line)
        if match:
            number = int(match.group(1)) - skipped
            line = '#%-2d %s' % (number, match.group(2))
        if (number is not None and number < 0) or line.startswith('Backtrace stopped') or \
                re.match(r'#\d+ +0x0+ in \?\?', line):
            continue
        gdb.write(line + '\n')


def backtrace(run, task):
    gdb.write(task.line() + '\n')
    run.thread.switch()
    if task.is_running:
        print_backtrace(0)
        return
    registers = task.registers()
    if is_start(registers[REGISTERS[architecture()][2]]):
        gdb.write('has not begun\n')
        return
    unwinder.set(registers)
    try:
        print_backtrace(own_frames(unwinder.names[0], unwinder.sp))
    finally:
        unwinder.clear()


class Whorl(gdb.Command):
    """Show the tasks of a program that uses whorl."""

    def __init__(self):
        super().__init__('whorl', gdb.COMMAND_STACK, prefix=True)


class Tasks(gdb.Command):
    """List all tasks with their number, their name, and what they wait for."""

    def __init__(self):
        super().__init__('whorl tasks', gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        for run in runs():
            tasks = run.tasks()
            gdb.write('run of thread %d, %d task%s:\n' %
                      (run.thread.num, len(tasks), '' if len(tasks) == 1 else 's'))
            for task in tasks:
                gdb.write('  %s\n' % task.line())


class Backtrace(gdb.Command):
    """Print the backtrace of one task or of all tasks: whorl bt NUMBER|THREAD.NUMBER|all.

    Without THREAD, the command uses the selected thread, or the first thread that has a run if the
    selected one has none."""

    def __init__(self):
        super().__init__('whorl bt', gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        match = re.fullmatch(r'(?:(\d+)\.)?(\d+)|(?:all)?', argument.strip())
        if not match:
            raise gdb.GdbError('whorl bt NUMBER|THREAD.NUMBER|all')
        found = runs()
        if match.group(2):
            found = [self.choose(found, match.group(1))]
        number = int(match.group(2) or 0)
        with Selection():
            shown = 0
            for run in found:
                for task in run.tasks():
                    if not number or task.id == number:
                        if shown:
                            gdb.write('\n')
                        backtrace(run, task)
                        shown += 1
        if not shown:
            raise gdb.GdbError('No task %s.' % argument.strip())

    @staticmethod
    def choose(found, thread):
        wanted = int(thread) if thread else gdb.selected_thread().num
        for run in found:
            if run.thread.num == wanted:
                return run
        if thread:
            raise gdb.GdbError('Thread %s has no run.' % thread)
        return found[0]


Whorl()
Tasks()
Backtrace()
