/* SPDX-License-Identifier: MIT */
/* Certificates for tests: an authority of our own, and valid and invalid certificates that it
 * signed. */
#include "certs.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "subprocess.h"
#include "test.h"

enum { PATHS_MAX = 16, AGE_MAX_S = 7 * 24 * 3600 };

/* Written to the file that marks the certificates as complete. Change it when the script
 * changes. */
static const char edition[] = "edition 1\n";

static const char script[] =
    "set -e; umask 077\n"
    "good='DNS:localhost,DNS:one.test,DNS:two.test,IP:127.0.0.1,IP:::1'\n"
    "key() { case $2 in\n"
    "  rsa) openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out $1.key ||\n"
    "       openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out $1.key;;\n"
    "  ec) openssl ecparam -name prime256v1 -genkey -noout -out $1.key;;\n"
    "  *) cp $2.key $1.key;; esac; }\n"
    /* authority NAME KEY */
    "authority() { key $1 $2; openssl req -x509 -new -sha256 -key $1.key -out $1.pem -days 30 \\\n"
    "  -subj \"/O=whorl tests/CN=$1\" -config conf -extensions authority; }\n"
    /* sign NAME KEY SIGNER COMMON-NAME SUBJECT-ALT-NAME [FROM UNTIL [EXTENSIONS]] */
    "sign() { key $1 $2; openssl req -new -sha256 -key $1.key -out $1.csr -subj \"/CN=$4\" \\\n"
    "    -config conf\n"
    "  { cat conf; [ -z \"$5\" ] || echo \"subjectAltName=$5\"; } > $1.conf\n"
    "  openssl ca -batch -notext -md sha256 -config $1.conf -extensions ${8:-leaf} -in $1.csr \\\n"
    "    -out $1.pem -cert $3.pem -keyfile $3.key -startdate ${6:-$from} -enddate ${7:-$until}; }\n"
    "cat > conf <<'END'\n"
    "[req]\ndistinguished_name=name\n"
    "[name]\n"
    "[ca]\ndefault_ca=any\n"
    "[any]\ndatabase=index\nnew_certs_dir=.\nrand_serial=yes\npolicy=policy\nunique_subject=no\n"
    "default_days=30\n"
    "[policy]\nCN=supplied\n"
    "[authority]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n"
    "subjectKeyIdentifier=hash\n"
    "[leaf]\nbasicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature,keyEncipherment\n"
    "END\n"
    ": > index\n"
    "from=$(date -u -d '2 days ago' +%Y%m%d000000Z); until=$(date -u -d '28 days' +%Y%m%d000000Z)\n"
    "authority ca rsa; authority ca-ec ec; authority foreign-ca rsa\n"
    "cat ca.pem ca-ec.pem > both-cas.pem\n"
    "sign middle rsa ca 'whorl tests intermediate' '' '' '' authority\n"
    "sign good rsa ca localhost $good\n"
    "sign good-ec ec ca localhost $good\n"
    "sign ec ec ca-ec localhost $good\n"
    "sign no-chain good middle localhost $good\n"
    "cat no-chain.pem middle.pem > chain.pem; cp no-chain.key chain.key\n"
    "sign wildcard good ca wild.test 'DNS:*.wild.test'\n"
    "sign ip-only good ca loopback IP:127.0.0.1,IP:::1\n"
    "sign names-only good ca localhost DNS:localhost,DNS:one.test,DNS:two.test\n"
    "sign common-name good ca localhost ''\n"
    "sign wrong-name good ca wrong.test DNS:wrong.test\n"
    "sign expired good ca localhost $good 20200101000000Z 20210101000000Z\n"
    "sign future good ca localhost $good 20900101000000Z 20910101000000Z\n"
    "sign foreign good foreign-ca localhost $good\n"
    "sign not-a-ca.leaf good-ec good localhost $good\n"
    "cat not-a-ca.leaf.pem good.pem > not-a-ca.pem; cp not-a-ca.leaf.key not-a-ca.key\n"
    "key self-signed good\n"
    "openssl req -x509 -new -sha256 -key self-signed.key -out self-signed.pem -days 30 \\\n"
    "  -subj /CN=localhost -config conf -addext subjectAltName=$good\n";

/* The directory of the certificates, next to the test programs. */
static const char *dir(void)
{
    static char path[PATH_MAX];
    if (!path[0])
        snprintf(path, sizeof path, "%s", test_program("tests/certs"));
    return path;
}

static bool is_made(const char *done)
{
    char text[sizeof edition] = "";
    struct stat st;
    int fd = open(done, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof text - 1);
    bool fresh = fstat(fd, &st) == 0 && time(NULL) - st.st_mtime < AGE_MAX_S &&
                 st.st_mtime <= time(NULL) + 60;
    close(fd);
    return fresh && n == sizeof edition - 1 && strcmp(text, edition) == 0;
}

static void make(const char *done)
{
    struct subprocess run;
    struct subprocess_options options = {.dir = dir(), .timeout_s = 60};

    unlink(done);
    subprocess_run(&run, (const char *[]){"sh", "-c", script, NULL}, &options);
    if (run.exit_status != 0)
        test_fail(__FILE__, __LINE__, "making certificates: exit status %d\n%s", run.exit_status,
                  run.err);
    subprocess_finish(&run);
    int fd = open(done, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, edition, sizeof edition - 1) < 0)
        test_fail(__FILE__, __LINE__, "writing %s: %s", done, strerror(errno));
    close(fd);
}

/* Makes the certificates. When test programs run in parallel, the first one makes them and the
 * others wait. */
static void ensure(void)
{
    static bool known;
    char lock[PATH_MAX + 8], done[PATH_MAX + 8];

    if (known)
        return;
    snprintf(lock, sizeof lock, "%s/.lock", dir());
    snprintf(done, sizeof done, "%s/.made", dir());
    mkdir(dir(), 0700);
    int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || flock(fd, LOCK_EX) != 0)
        test_fail(__FILE__, __LINE__, "locking %s: %s", lock, strerror(errno));
    if (!is_made(done)) {
        if (!test_has_program("openssl")) {
            close(fd);
            test_skip("openssl is not installed");
        }
        make(done);
    }
    close(fd);
    known = true;
}

const char *cert_path(const char *file)
{
    static char paths[PATHS_MAX][PATH_MAX];
    static int next;

    ensure();
    char *path = paths[next++ % PATHS_MAX];
    if (snprintf(path, PATH_MAX, "%s/%s", dir(), file) >= PATH_MAX || access(path, R_OK) != 0)
        test_fail(__FILE__, __LINE__, "no certificate file %s", file);
    return path;
}
