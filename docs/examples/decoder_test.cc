// The decoder with streams cut at every place, with frames that are kept, and with
// noise.

extern "C" {
#include "docs/examples/decoder.h"
}

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace {

std::string Frame(const std::string &s) {
    std::string out;
    for (int shift = 24; shift >= 0; shift -= 8)
        out += static_cast<char>(s.size() >> shift);
    return out + s;
}
std::string Bytes(linn_buf b) {
    std::string s(linn_buf_readable(b), '\0');
    EXPECT_EQ(linn_buf_get_bytes(b, 0, &s[0], s.size()), LINN_BUF_OK);
    return s;
}

TEST(Decoder, AStreamCutAtEveryPlace) {
    std::vector<std::string> texts = {"one", "", std::string(700, 'x'), "four"};
    std::string stream;
    for (const std::string &s : texts)
        stream += Frame(s);
    int cuts = 0;
    for (size_t cut = 0; cut <= stream.size(); cut++) {
        decoder d;
        ASSERT_TRUE(decoder_init(&d, 1000));
        std::vector<linn_buf> frames;  // all of them kept to the end
        for (const std::string &part :
             {stream.substr(0, cut), stream.substr(cut)}) {
            ASSERT_TRUE(decoder_feed(&d, part.data(), part.size()));
            linn_buf frame;
            enum decoded got;
            while ((got = decoder_next(&d, &frame)) == DECODED_FRAME)
                frames.push_back(frame);
            EXPECT_EQ(got, DECODED_MORE);
        }
        decoder_end(&d);
        ASSERT_EQ(frames.size(), texts.size());
        for (size_t i = 0; i < frames.size(); i++) {
            EXPECT_EQ(Bytes(frames[i]), texts[i]);
            EXPECT_EQ(linn_buf_release(frames[i]), LINN_BUF_OK);
        }
        cuts++;
    }
    EXPECT_EQ(cuts, 4 * 4 + 3 + 700 + 4 + 1);
}

// Frames that are released at once: the buffer does not grow.
TEST(Decoder, ALongStreamNeedsLittle) {
    decoder d;
    ASSERT_TRUE(decoder_init(&d, 1000));
    std::string frame = Frame(std::string(90, 'y'));
    for (int i = 0; i < 10000; i++) {
        ASSERT_TRUE(decoder_feed(&d, frame.data(), frame.size()));
        linn_buf f;
        ASSERT_EQ(decoder_next(&d, &f), DECODED_FRAME);
        ASSERT_EQ(linn_buf_release(f), LINN_BUF_OK);
    }
    EXPECT_LE(linn_buf_capacity(d.in), 1024u);
    decoder_end(&d);
}

TEST(Decoder, ALengthThatLies) {
    decoder d;
    ASSERT_TRUE(decoder_init(&d, 1000));
    linn_buf f;
    ASSERT_TRUE(decoder_feed(&d, "\xff\xff\xff\xff....", 8));
    EXPECT_EQ(decoder_next(&d, &f), DECODED_WRONG);
    EXPECT_EQ(decoder_next(&d, &f), DECODED_WRONG);
    decoder_end(&d);
}

// Random bytes in random portions: no crash, no frame that is too long, no leak.
TEST(Decoder, Noise) {
    uint64_t x = 88172645463325252u, frames = 0;
    auto next = [&x] {
        x ^= x << 13;
        x ^= x >> 7;
        return x ^= x << 17;
    };
    for (int stream = 0; stream < 2000; stream++) {
        decoder d;
        ASSERT_TRUE(decoder_init(&d, 300));
        std::vector<linn_buf> kept;
        for (int i = 0; i < 20; i++) {
            std::string part;
            for (uint64_t n = next() % 60; n > 0; n--)
                part += static_cast<char>(next() % 8 == 0 ? next() % 40 : 0);
            ASSERT_TRUE(decoder_feed(&d, part.data(), part.size()));
            linn_buf f;
            enum decoded got;
            while ((got = decoder_next(&d, &f)) == DECODED_FRAME) {
                frames++;
                EXPECT_LE(linn_buf_readable(f), 300u);
                if (next() % 2 == 0) {
                    kept.push_back(f);
                } else {
                    EXPECT_EQ(linn_buf_release(f), LINN_BUF_OK);
                }
            }
            if (got == DECODED_WRONG) break;
        }
        decoder_end(&d);
        for (linn_buf f : kept)
            EXPECT_EQ(linn_buf_release(f), LINN_BUF_OK);
    }
    EXPECT_GT(frames, 3000u);
    linn_counters c{};
    c.size = sizeof c;
    ASSERT_TRUE(linn_pool_counters(nullptr, &c));
    EXPECT_EQ(c.live_blocks, 0u);
}

}  // namespace
