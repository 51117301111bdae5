#ifndef LINN_STRESS_RUN_TEST_H_
#define LINN_STRESS_RUN_TEST_H_

/* run_test: runs a program and keeps what it said; for the tests of compare and
 * of soak. */

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

struct Said {
    int status = -1; /* exit status; 128 + signal */
    std::string out; /* stdout */
    std::string err; /* stderr */
};

/* interrupt_after_ms > 0: sends SIGINT then. */
inline Said RunProgram(std::vector<std::string> command,
                       unsigned interrupt_after_ms = 0) {
    FILE *out = tmpfile();
    FILE *err = tmpfile();
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fileno(out), 1);
        dup2(fileno(err), 2);
        std::vector<char *> argv;
        for (std::string &s : command) {
            argv.push_back(&s[0]);
        }
        argv.push_back(nullptr);
        execv(argv[0], argv.data());
        _exit(127);
    }
    if (interrupt_after_ms > 0) {
        usleep(interrupt_after_ms * 1000);
        kill(pid, SIGINT);
    }
    Said said;
    int status = 0;
    waitpid(pid, &status, 0);
    said.status =
        WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    auto read = [](FILE *f) {
        std::string text;
        rewind(f);
        char piece[4096];
        size_t n;
        while ((n = fread(piece, 1, sizeof piece, f)) > 0) {
            text.append(piece, n);
        }
        fclose(f);
        return text;
    };
    said.out = read(out);
    said.err = read(err);
    return said;
}

#endif /* LINN_STRESS_RUN_TEST_H_ */
