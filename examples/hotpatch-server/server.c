// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Quotes prices on a Unix socket: a line is a request, a line is the answer. Each connection has a thread.

#include "prices.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int write_all(int connection, const char *text, size_t size)
{
    while (size) {
        ssize_t written = send(connection, text, size, MSG_NOSIGNAL);
        if (written <= 0)
            return 0;
        text += written;
        size -= (size_t)written;
    }
    return 1;
}

static void *serve(void *connection)
{
    char request[256], line[128];
    FILE *requests = fdopen((int)(intptr_t)connection, "r");
    while (requests && fgets(request, sizeof request, requests)) {
        answer(request, line, sizeof line);
        if (!write_all((int)(intptr_t)connection, line, strlen(line)))
            break;
    }
    if (requests)
        fclose(requests);
    return NULL;
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    unlink(path);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 64))
        return -1;
    return listener;
}

int main(int count, char **arguments)
{
    const char *path = count > 1 ? arguments[1] : "prices.socket";
    int listener = listen_at(path);
    if (listener < 0) {
        perror(path);
        return 1;
    }
    printf("process %d quotes prices at %s\n", (int)getpid(), path);
    fflush(stdout);
    for (int connection; (connection = accept(listener, NULL, NULL)) >= 0;) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)connection) == 0)
            pthread_detach(thread);
        else
            close(connection);
    }
    perror("accept");
    return 1;
}
