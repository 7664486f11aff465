/* SPDX-License-Identifier: MIT */
/* One connection that fetches a part of a large file, and what all connections of the file share.
 * download.h has the functions for users. */
#ifndef WHORL_GET_PIECE_H
#define WHORL_GET_PIECE_H

#include <stdbool.h>
#include <stdint.h>

#include <whorl/error.h>
#include <whorl/http.h>
#include <whorl/scope.h>

#include "tools/get/claims.h"
#include "tools/get/part.h"
#include "tools/get/validator.h"

enum {
    DOWNLOAD_LENGTH_MIN = 1 << 20, /* shorter files are fetched again instead */
    DOWNLOAD_OVERLAP = 64 << 10,   /* bytes that are compared before a join */
};

/* What a download came to, besides 0 for a complete part and negative codes. */
enum download_verdict {
    DOWNLOAD_STATUS = 1, /* the status of `response` is a failure */
    DOWNLOAD_AFRESH,     /* the file must be fetched from its first byte; `afresh` says why */
};

/* Set the fields above the blank line. All other fields start at zero. */
struct download {
    /* Sends a GET for `url` with `extra_count` more headers, and returns its response. With
     * `own_connection`, no other response arrives on the same connection meanwhile, if possible. */
    WHORL_SUSPENDS int (*ask)(void *arg, const char *url, const struct whorl_http_header *extra,
                              size_t extra_count, bool own_connection, struct whorl_error *error,
                              struct whorl_http_response **ret);
    /* Called with the first response that is used in a call of download_resume(). */
    void (*note)(void *arg, struct whorl_http_response *response);
    /* Called when `have` bytes of the file are there. */
    void (*progress)(void *arg, int64_t have);
    /* Called with all bytes of the file, in their order, before the download is complete. NULL: not
     * needed. Bytes that arrive in another order, or that were there before, are read from the part
     * when all are there. */
    void (*see)(void *arg, const char *bytes, size_t len);
    /* Appends what `see` has calculated, so that the next run can continue there. NULL: the next
     * run reads all bytes again. */
    void (*save)(void *arg, struct buffer *ret);
    /* Returns a place for one more connection to the host of the URL, or NULL when there may be
     * none now. free_connection() gives it back. */
    void *(*take_connection)(void *arg, const char *url);
    void (*free_connection)(void *arg, void *place);
    /* Called when the count of connections that receive has changed. */
    void (*show_connections)(void *arg, int count);
    void *arg;
    int split;          /* connections that are opened at once; 0: one, and more when that helps */
    const char *source; /* the URL that the first connection asks; borrowed */
    /* Other URLs of the same file; borrowed. The bytes of several URLs are joined, so the caller
     * must know a hash of the file, and must drop the part when the file does not have it. */
    const char *const *mirrors;
    size_t mirrors_count;
    struct whorl_error *error;

    const char *origin; /* the URL whose validators the part has */
    char *url;          /* `source` without user name and password; owned */
    struct part part;
    char afresh[128];     /* why the file is fetched from its first byte again; "": it is not */
    int64_t resumed_from; /* bytes that the part had when it was first continued */
    int64_t received;     /* body bytes of all responses */
    int64_t wasted;       /* of these, bytes that were there already */
    int splits;           /* connections besides the first one whose bytes were used */
    int64_t seen;         /* bytes that `see` has got, or had got in the run before */
    int64_t reread;       /* bytes that were read from the part for `see` */
    bool noted;           /* `note` has been called */
    struct claims claims; /* of the connections that are open */
    bool no_ranges;       /* the server's answers to ranges cannot be used */
    bool is_corrupt;      /* the bytes of `origin` differ from those that are there */
    bool is_mixed;        /* the part has, or may have, bytes of several URLs */
    uint64_t failed;      /* a bit for each of `mirrors` that gets no more requests */
    size_t next_source;   /* of the next connection: 0 is `source`, others are mirrors */
};

/* A piece: what one connection fetches, one claim after the other. Set the fields above the blank
 * line. All other fields start at zero. */
struct piece {
    struct download *download;
    const char *source;  /* the URL that is asked; borrowed */
    bool own_connection; /* it must not share its connection with another piece */
    struct whorl_error *error;

    struct claim claim;      /* `at` is the next byte to receive */
    int64_t join;            /* bytes before this one are there already, and are only compared */
    int64_t response_end;    /* the end of the bytes that the response has */
    struct whorl_scope wait; /* valid while `is_waiting` */
    bool is_waiting;         /* for the server */
    char why[128];           /* with DOWNLOAD_AFRESH: the reason */
    bool is_corrupt;         /* bytes differ, so nothing that is there can be trusted */
};

/* Whether the piece asks another URL than that whose validators are known. */
bool piece_is_of_mirror(const struct piece *piece);

/* Sets the claim to the last bytes of a complete part, which are only compared. */
void piece_claim_end(struct piece *piece);

/**
 * Asks for the claim and receives it. Continues behind it as far as the response has bytes that are
 * neither there nor claimed. Returns early when the claim is lost (claims.h).
 *
 * @ret  with DOWNLOAD_STATUS, and with DOWNLOAD_AFRESH for a response with the whole file: the
 *       response, which the caller closes
 *
 * Returns: 0; one of enum download_verdict; or a negative code, and `error` is filled.
 */
WHORL_SUSPENDS int piece_fetch(struct piece *piece, struct whorl_http_response **ret);

/* Receives the body of a response that begins with the claim. Else as piece_fetch(). */
WHORL_SUSPENDS int piece_receive(struct piece *piece, struct whorl_http_response *response);

/* To be called when another connection has taken the claim: the piece stops waiting for the server.
 * Bytes that are being written are still written. Never suspends. */
void piece_stop_waiting(struct piece *piece);

/* The validators of a response. Valid until it is closed. */
struct validator piece_validator(const struct whorl_http_response *response);

/* Calls the `see` of the download for the next bytes of the file. */
void piece_see(struct download *download, int64_t start, const char *bytes, size_t len);

/* Compares bytes with those in the file `fd`. Returns 0; DOWNLOAD_AFRESH when they differ; or a
 * negative code. */
WHORL_SUSPENDS int piece_compare(struct piece *piece, int fd, const char *bytes, size_t len);

#endif
