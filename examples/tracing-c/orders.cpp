// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Three workers price orders such as "4*250+2*90". Some orders make no sense: parsing them throws.

#include <weft/tracing.h>

#include <cstdio>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace shop {

constexpr int workers = 3, orders = 60;

struct item {
    int amount, price;
};

struct totals {
    int served = 0, refused = 0, sum = 0;
};

// One for each name, with static storage.
static weft_tracing_name order_span = {"order", 0};
static weft_tracing_name refused_event = {"refused", 0};

/// A span that ends with its scope, however that is left.
class span {
public:
    explicit span(weft_tracing_name &name) : name(name) { weft_tracing_begin(&name); }
    ~span() { weft_tracing_end(&name); }
    span(const span &) = delete;
    span &operator=(const span &) = delete;

private:
    weft_tracing_name &name;
};

/// Called for every character: a trace is better off without.
static bool is_digit(char c)
{
    WEFT_TRACING_NEVER;
    return c >= '0' && c <= '9';
}

static int number(const char *&text)
{
    int value = 0;
    if (!is_digit(*text))
        throw std::invalid_argument(std::string("no number at '") + text + "'");
    while (is_digit(*text))
        value = 10 * value + *text++ - '0';
    return value;
}

static std::vector<item> parse(const char *text)
{
    WEFT_TRACING_ALWAYS;
    std::vector<item> items;
    for (;; text++) {
        item next = {};
        next.amount = number(text);
        if (*text++ != '*')
            throw std::invalid_argument("an item without a price");
        next.price = number(text);
        items.push_back(next);
        if (*text != '+')
            return items;
    }
}

/// Too small to be traced, were it not for the mark, which also keeps it from being inlined.
static int rebate(int sum)
{
    WEFT_TRACING_ALWAYS;
    return sum > 1000 ? sum / 10 : 0;
}

static int price(const std::vector<item> &items)
{
    int sum = 0;
    for (const item &each : items)
        sum += each.amount * each.price;
    return sum - rebate(sum);
}

static std::string order(int i)
{
    std::string first = std::to_string(i % 7 + 1) + "*250";
    if (i % 20 == 13)
        return first + "+some*90"; // nobody knows how many
    return first + "+" + std::to_string(i % 3) + "*90";
}

static void serve(int i, totals &to)
{
    WEFT_TRACING_ALWAYS;
    span span(order_span);
    try {
        to.sum += price(parse(order(i).c_str()));
        to.served++;
    } catch (const std::invalid_argument &e) {
        weft_tracing_event(&refused_event, e.what(), std::strlen(e.what()));
        to.refused++;
    }
}

static void work(int worker, totals &to)
{
    for (int i = worker; i < orders; i += workers)
        serve(i, to);
}

} // namespace shop

int main()
{
    shop::totals each[shop::workers], all;
    std::vector<std::thread> threads;
    for (int i = 0; i < shop::workers; i++)
        threads.emplace_back(shop::work, i, std::ref(each[i]));
    for (std::thread &thread : threads)
        thread.join();
    for (const shop::totals &one : each) {
        all.served += one.served;
        all.refused += one.refused;
        all.sum += one.sum;
    }
    std::printf("%d orders served, %d refused: %d in all\n", all.served, all.refused, all.sum);
    if (const char *file = weft_tracing_file())
        std::printf("see %s\n", file);
    return 0;
}
