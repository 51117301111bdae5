#ifndef LINN_STRESS_RUN_TEST_H_
#define LINN_STRESS_RUN_TEST_H_

/* run_test: runs a program and keeps what it said, on files or on a terminal; for
 * the tests of compare and of soak. */

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

struct Said {
    int status = -1; /* exit status; 128 + signal */
    std::string out; /* stdout */
    std::string err; /* stderr */
};

inline pid_t StartProgram(std::vector<std::string> command, int out, int err) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid != 0) return pid;
    dup2(out, 1);
    dup2(err, 2);
    std::vector<char *> argv;
    for (std::string &s : command) {
        argv.push_back(&s[0]);
    }
    argv.push_back(nullptr);
    execv(argv[0], argv.data());
    _exit(127);
}

inline int StatusOf(int status) {
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

inline std::string ReadAndClose(FILE *f) {
    std::string text;
    rewind(f);
    char piece[4096];
    size_t n;
    while ((n = fread(piece, 1, sizeof piece, f)) > 0) {
        text.append(piece, n);
    }
    fclose(f);
    return text;
}

/* interrupt_after_ms > 0: sends SIGINT then. */
inline Said RunProgram(std::vector<std::string> command,
                       unsigned interrupt_after_ms = 0) {
    FILE *out = tmpfile();
    FILE *err = tmpfile();
    pid_t pid = StartProgram(command, fileno(out), fileno(err));
    if (interrupt_after_ms > 0) {
        usleep(interrupt_after_ms * 1000);
        kill(pid, SIGINT);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    Said said;
    said.status = StatusOf(status);
    said.out = ReadAndClose(out);
    said.err = ReadAndClose(err);
    return said;
}

/* Whether a process has a handler for SIGINT now. */
inline bool CatchesInterrupts(pid_t pid) {
    std::ifstream status("/proc/" + std::to_string(pid) + "/status");
    std::string line;
    while (std::getline(status, line)) {
        if (line.compare(0, 7, "SigCgt:") != 0) continue;
        return (std::stoull(line.substr(7), nullptr, 16) >> (SIGINT - 1)) & 1;
    }
    return false;
}

/* Sends SIGINT, over and over, from when the program has a handler for it until
 * its end; after a minute without one it is killed. */
inline Said RunAndInterruptWhenCaught(std::vector<std::string> command) {
    FILE *out = tmpfile();
    FILE *err = tmpfile();
    pid_t pid = StartProgram(command, fileno(out), fileno(err));
    int status = 0;
    for (int i = 0; waitpid(pid, &status, WNOHANG) == 0; i++) {
        if (CatchesInterrupts(pid)) kill(pid, SIGINT);
        if (i == 3000) kill(pid, SIGKILL);
        usleep(20000);
    }
    Said said;
    said.status = StatusOf(status);
    said.out = ReadAndClose(out);
    said.err = ReadAndClose(err);
    return said;
}

/* With stderr on a terminal of its own; stdout is not kept.  A status of -1 and
 * the reason in err when no terminal can be made. */
inline Said RunOnTerminal(std::vector<std::string> command) {
    Said said;
    int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0) {
        said.err = "no terminal can be made (posix_openpt)";
        return said;
    }
    int err = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
    int out = open("/dev/null", O_WRONLY | O_CLOEXEC);
    pid_t pid = StartProgram(command, out, err);
    close(out);
    close(err);
    /* Until the last one who has the other end closes it (EIO). */
    char piece[4096];
    ssize_t n;
    while ((n = read(terminal, piece, sizeof piece)) > 0) {
        said.err.append(piece, static_cast<size_t>(n));
    }
    close(terminal);
    int status = 0;
    waitpid(pid, &status, 0);
    said.status = StatusOf(status);
    return said;
}

#endif /* LINN_STRESS_RUN_TEST_H_ */
