// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A load for the server: four connections ask the price of ten lamps, again and again, and each second says what they were told.

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CONNECTIONS = 4 };

static struct sockaddr_un address = {.sun_family = AF_UNIX};
static atomic_long right, wrong, failed; ///< since the last line: ten lamps at 10.00 cost 90.00

static void *ask(void *unused)
{
    char line[128];
    long number, cents;
    int connection = socket(AF_UNIX, SOCK_STREAM, 0);
    FILE *answers = connect(connection, (struct sockaddr *)&address, sizeof address) ? NULL : fdopen(connection, "r");
    for (;; usleep(100)) {
        if (answers && send(connection, "lamp 10\n", 8, MSG_NOSIGNAL) == 8 && fgets(line, sizeof line, answers) && sscanf(line, "quote %ld: %ld", &number, &cents) == 2)
            atomic_fetch_add(cents == 9000 ? &right : &wrong, 1);
        else
            atomic_fetch_add(&failed, 1);
    }
    return unused;
}

int main(int count, char **arguments)
{
    snprintf(address.sun_path, sizeof address.sun_path, "%s", count > 1 ? arguments[1] : "prices.socket");
    pthread_t thread;
    for (int i = 0; i < CONNECTIONS; i++)
        if (pthread_create(&thread, NULL, ask, NULL))
            return 1;
    for (long seconds = count > 2 ? atol(arguments[2]) : 1000000; seconds > 0; seconds--) {
        sleep(1);
        printf("right %ld  wrong %ld  failed %ld\n", atomic_exchange(&right, 0), atomic_exchange(&wrong, 0), atomic_exchange(&failed, 0));
        fflush(stdout);
    }
}
