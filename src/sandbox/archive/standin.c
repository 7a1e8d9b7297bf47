/* A stand-in for WeCom's closed archive library, for the demo, the tests and a benchmark: the same functions, and all it
 * knows in its own folder.
 *
 *   messages        a message in each line: its seq, a tab, and the object that `chatdata` holds
 *   flood           messages without number, instead of `messages`: how many, the time of the first in milliseconds, and the
 *                   milliseconds between two; then in each line a short key, a tab, and what RSA made of it. Each message is
 *                   made when it is asked for, and the next one takes the next key
 *   media/ID        the bytes of the file with this sdkfileid
 *   media/chunk     how many bytes GetMediaData gives at once; 524288 if there is none
 *   secret          what Init accepts; anything if there is none
 *   fault.pull, fault.decrypt, fault.media, fault.init
 *                   a word in each line, for one call each: ok, crash, hang, leak, noise, or a number to return
 *   log             what was called, written by us
 *
 * A message is sealed as hex(check || text XOR stream): both come from the key and 64-bit FNV-1a, see `library.rs`.
 * With another key the check differs, and DecryptData returns 10006.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

typedef struct Slice_t { char *buf; int len; } Slice_t;
typedef struct MediaData { char *outindexbuf; int out_len; char *data; int data_len; int is_finish; } MediaData_t;
typedef struct WeWorkFinanceSdk_t { int unused; } WeWorkFinanceSdk_t;

#define LEAK_BYTES (256L << 20)

static const char *folder(void) {
    static char path[4096];
    if (!path[0]) {
        Dl_info info;
        if (!dladdr((void *)folder, &info)) abort();
        snprintf(path, sizeof path, "%s", info.dli_fname);
        char *slash = strrchr(path, '/');
        if (slash) *slash = 0; else strcpy(path, ".");
    }
    return path;
}

static FILE *open_in(const char *name, const char *mode) {
    char path[8192];
    snprintf(path, sizeof path, "%s/%s", folder(), name);
    return fopen(path, mode);
}

static void note(const char *line) {
    FILE *log = open_in("log", "a");
    if (log) { fprintf(log, "%s\n", line); fclose(log); }
}

/* Takes the next word of a fault file, and does what it says. Returns what the call must return, or 0. */
static int fault(const char *name) {
    char file[64], word[64] = "", rest[1 << 16] = "";
    snprintf(file, sizeof file, "fault.%s", name);
    FILE *in = open_in(file, "r+");
    if (!in) return 0;
    flock(fileno(in), LOCK_EX);
    if (!fgets(word, sizeof word, in)) { fclose(in); return 0; }
    size_t length = fread(rest, 1, sizeof rest, in);
    rewind(in);
    fwrite(rest, 1, length, in);
    fflush(in);
    if (ftruncate(fileno(in), (off_t)length)) abort();
    fclose(in);
    word[strcspn(word, "\n")] = 0;
    if (!strcmp(word, "crash")) { volatile int *nowhere = 0; *nowhere = 1; }
    if (!strcmp(word, "hang")) for (;;) sleep(60);
    if (!strcmp(word, "leak")) { char *lost = malloc(LEAK_BYTES); if (lost) memset(lost, 1, LEAK_BYTES); }
    if (!strcmp(word, "noise")) { printf("the library prints\n"); fflush(stdout); }
    return atoi(word);
}

WeWorkFinanceSdk_t *NewSdk(void) { return calloc(1, sizeof(WeWorkFinanceSdk_t)); }

int Init(WeWorkFinanceSdk_t *sdk, const char *corpid, const char *secret) {
    char wanted[256] = "";
    (void)sdk;
    note("init");
    FILE *in = open_in("secret", "r");
    if (in) {
        if (fgets(wanted, sizeof wanted, in)) wanted[strcspn(wanted, "\n")] = 0;
        fclose(in);
        if (strcmp(wanted, secret)) return 10000;
    }
    if (!corpid[0]) return 10000;
    return fault("init");
}

void DestroySdk(WeWorkFinanceSdk_t *sdk) { free(sdk); }

Slice_t *NewSlice(void) { return calloc(1, sizeof(Slice_t)); }
void FreeSlice(Slice_t *slice) { free(slice->buf); free(slice); }
char *GetContentFromSlice(Slice_t *slice) { return slice->buf; }
int GetSliceLen(Slice_t *slice) { return slice->len; }

static void put(Slice_t *slice, const char *bytes, size_t length) {
    slice->buf = realloc(slice->buf, (size_t)slice->len + length + 1);
    memcpy(slice->buf + slice->len, bytes, length);
    slice->len += (int)length;
    slice->buf[slice->len] = 0;
}

static unsigned long long fnv(unsigned long long hash, const char *bytes, size_t length) {
    for (size_t at = 0; at < length; at++) hash = (hash ^ (unsigned char)bytes[at]) * 0x100000001b3ULL;
    return hash;
}

/* The next byte of the stream that a message is mixed with. */
static char next_of(unsigned long long *stream) {
    *stream = *stream * 6364136223846793005ULL + 1442695040888963407ULL;
    return (char)(*stream >> 56);
}

static void put_sealed(Slice_t *page, const char *key, const char *text, size_t length) {
    static const char digits[] = "0123456789abcdef";
    unsigned long long start = fnv(0xcbf29ce484222325ULL, key, strlen(key)), stream = start;
    unsigned long long check = fnv(start, text, length);
    char *hex = malloc(2 * (length + 8));
    for (size_t at = 0; at < length + 8; at++) {
        unsigned char byte = at < 8 ? (unsigned char)(check >> (56 - 8 * at)) : (unsigned char)(text[at - 8] ^ next_of(&stream));
        hex[2 * at] = digits[byte >> 4];
        hex[2 * at + 1] = digits[byte & 15];
    }
    put(page, hex, 2 * (length + 8));
    free(hex);
}

#define FLOOD_KEYS_MAX 256

/* Makes the messages that follow `seq`: customers and members write in turns. Returns 0 if there is no flood. */
static int put_flood(Slice_t *page, unsigned long long seq, unsigned int limit) {
    static char shorts[FLOOD_KEYS_MAX][128], randoms[FLOOD_KEYS_MAX][1024];
    unsigned long long count = 0, begin = 0, step = 0;
    unsigned int keys = 0;
    FILE *in = open_in("flood", "r");
    if (!in) return 0;
    int read = fscanf(in, "%llu %llu %llu", &count, &begin, &step);
    while (read == 3 && keys < FLOOD_KEYS_MAX && fscanf(in, "%127s %1023s", shorts[keys], randoms[keys]) == 2) keys++;
    fclose(in);
    for (unsigned int at = 0; keys && at < limit && seq + at < count; at++) {
        char text[1024], head[2048];
        unsigned long long number = seq + at + 1, person = number / 2 % 5000;
        const char *key = shorts[number % keys];
        char customer[64], member[64];
        snprintf(customer, sizeof customer, "wmFlood%025llu", person);
        snprintf(member, sizeof member, "member%llu", person % 40);
        int asks = number % 2 == 0;
        snprintf(text, sizeof text,
                 "{\"msgid\":\"flood%llu\",\"action\":\"send\",\"from\":\"%s\",\"tolist\":[\"%s\"],\"roomid\":\"\","
                 "\"msgtime\":%llu,\"msgtype\":\"text\",\"text\":{\"content\":\"%s\"}}",
                 number, asks ? customer : member, asks ? member : customer, begin + step * (number - 1),
                 asks ? "师傅您好，厨房水管还在漏水，请问今天下午几点可以上门？" : "您好，三点到四点之间到，麻烦您先把总阀关上");
        snprintf(head, sizeof head,
                 "%s{\"seq\":%llu,\"msgid\":\"flood%llu\",\"publickey_ver\":1,\"encrypt_random_key\":\"%s\","
                 "\"encrypt_chat_msg\":\"",
                 at ? "," : "", number, number, randoms[number % keys]);
        put(page, head, strlen(head));
        put_sealed(page, key, text, strlen(text));
        put(page, "\"}", 2);
    }
    return 1;
}

int GetChatData(WeWorkFinanceSdk_t *sdk, unsigned long long seq, unsigned int limit, const char *proxy,
                const char *passwd, int timeout, Slice_t *page) {
    char line[128];
    (void)sdk; (void)proxy; (void)passwd; (void)timeout;
    snprintf(line, sizeof line, "pull %llu %u", seq, limit);
    note(line);
    int code = fault("pull");
    if (code) return code;
    if (limit == 0 || limit > 1000) return 10000;
    const char *head = "{\"errcode\":0,\"errmsg\":\"ok\",\"chatdata\":[";
    put(page, head, strlen(head));
    FILE *in = put_flood(page, seq, limit) ? 0 : open_in("messages", "r");
    if (in) {
        char *text = 0;
        size_t room = 0;
        ssize_t length;
        unsigned int count = 0;
        while (count < limit && (length = getline(&text, &room, in)) > 0) {
            char *object = strchr(text, '\t');
            unsigned long long number = strtoull(text, 0, 10);
            if (!object || number <= seq || text[length - 1] != '\n') continue;
            if (count++) put(page, ",", 1);
            put(page, object + 1, (size_t)(text + length - 1 - (object + 1)));
        }
        free(text);
        fclose(in);
    }
    put(page, "]}", 2);
    return 0;
}

static int nibble(char digit) { return digit >= 'a' ? digit - 'a' + 10 : digit - '0'; }

int DecryptData(const char *key, const char *sealed, Slice_t *message) {
    int code = fault("decrypt");
    if (code) return code;
    size_t length = strlen(sealed) / 2;
    if (length < 8) return 10006;
    char *bytes = malloc(length);
    for (size_t at = 0; at < length; at++)
        bytes[at] = (char)(nibble(sealed[2 * at]) << 4 | nibble(sealed[2 * at + 1]));
    unsigned long long start = fnv(0xcbf29ce484222325ULL, key, strlen(key)), stream = start, check = 0;
    for (size_t at = 8; at < length; at++) bytes[at] = (char)(bytes[at] ^ next_of(&stream));
    for (size_t at = 0; at < 8; at++) check = check << 8 | (unsigned char)bytes[at];
    int fits = fnv(start, bytes + 8, length - 8) == check;
    if (fits) put(message, bytes + 8, length - 8);
    free(bytes);
    return fits ? 0 : 10006;
}

MediaData_t *NewMediaData(void) { return calloc(1, sizeof(MediaData_t)); }

void FreeMediaData(MediaData_t *media) {
    /* What is read after this was freed must differ. */
    if (media->outindexbuf) memset(media->outindexbuf, 'X', (size_t)media->out_len);
    if (media->data) memset(media->data, 'X', (size_t)media->data_len);
    free(media->outindexbuf);
    free(media->data);
    free(media);
}

char *GetOutIndexBuf(MediaData_t *media) { return media->outindexbuf; }
char *GetData(MediaData_t *media) { return media->data; }
int GetIndexLen(MediaData_t *media) { return media->out_len; }
int GetDataLen(MediaData_t *media) { return media->data_len; }
int IsMediaDataFinish(MediaData_t *media) { return media->is_finish; }

int GetMediaData(WeWorkFinanceSdk_t *sdk, const char *index, const char *file, const char *proxy, const char *passwd,
                 int timeout, MediaData_t *media) {
    char name[4096], line[4200], number[64] = "";
    long begin = 0, chunk = 524288, size;
    (void)sdk; (void)proxy; (void)passwd; (void)timeout;
    snprintf(line, sizeof line, "media %s %s", index[0] ? index : "-", file);
    note(line);
    int code = fault("media");
    if (code) return code;
    if (!file[0]) return 10000;
    if (strchr(file, '/')) return 10005;
    if (index[0] && sscanf(index, "Range:bytes=%ld-", &begin) != 1) return 10000;
    FILE *setting = open_in("media/chunk", "r");
    if (setting) {
        if (fgets(number, sizeof number, setting)) chunk = atol(number);
        fclose(setting);
    }
    snprintf(name, sizeof name, "media/%s", file);
    FILE *in = open_in(name, "r");
    if (!in) return 10005;
    fseek(in, 0, SEEK_END);
    size = ftell(in);
    fseek(in, begin, SEEK_SET);
    if (begin > size) { fclose(in); return 10000; }
    long end = begin + chunk < size ? begin + chunk : size;
    media->data = malloc((size_t)(end - begin) + 1);
    media->data_len = (int)fread(media->data, 1, (size_t)(end - begin), in);
    fclose(in);
    media->is_finish = end == size;
    media->outindexbuf = malloc(96);
    media->out_len = snprintf(media->outindexbuf, 96, "Range:bytes=%ld-%ld", end, end + chunk - 1);
    return 0;
}
