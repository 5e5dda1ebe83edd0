// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
)

// engine is a SQLite driver with the file system it works on. The driver files give the one that is built in; tests bring others.
type engine struct {
	driver  string                          // name in database/sql
	vfs     string                          // SQLite's file system; "" = the operating system's
	code    func(error) (code int, ok bool) // primary result code of a driver's error
	size    func(path string) int64         // bytes of a file; 0 when there is none
	logged  func(path string) int64         // distinct pages in a write-ahead log
	rename  func(from, to string) error
	create  func(path string, mode fs.FileMode) // an empty file where there is none; nil = not needed
	sync    string                              // PRAGMA synchronous
	commits func()                              // told of every commit; nil = nobody
}

func newEngine() engine {
	return engine{driver: driverName, code: resultCode, size: fileSize, logged: loggedPages, rename: os.Rename, create: createFile, sync: "FULL"}
}

// createFile makes an empty file where there is none, for no other eyes than mode allows. Log and shared memory get the mode of the file
// from SQLite. Where that fails, opening the file will tell why.
func createFile(path string, mode fs.FileMode) {
	if f, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE, mode); err == nil {
		f.Close()
	}
}

func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// loggedPages counts the pages that a checkpoint of the log will write: a page may be there many times.
func loggedPages(path string) int64 {
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer f.Close()
	pages := map[[4]byte]bool{}
	for off := int64(walHeader); ; off += frameSize {
		var page [4]byte
		if n, _ := f.ReadAt(page[:], off); n < len(page) {
			return int64(len(pages))
		}
		pages[page] = true
	}
}

// mode is how a file is opened.
type mode int

const (
	modeWrite     mode = iota
	modeExclusive      // without shared memory, for file systems that cannot map it
	modeRead
	modeFrozen // for reading where nothing may be written, not even beside the file
)

// dsn names the file with all its PRAGMAs: sent later they would reach one pooled connection only.
func (e engine) dsn(path string, maxPages int64, m mode) string {
	q := url.Values{}
	pragma := func(format string, a ...any) { q.Add("_pragma", fmt.Sprintf(format, a...)) }
	pragma("busy_timeout(%d)", busyTimeout.Milliseconds())
	if m == modeExclusive {
		pragma("locking_mode(EXCLUSIVE)")
	}
	pragma("cache_size(-512)")
	pragma("temp_store(MEMORY)")
	if m == modeRead || m == modeFrozen {
		q.Set("mode", "ro")
		if m == modeFrozen {
			q.Set("immutable", "1")
		}
		pragma("query_only(1)")
	} else {
		q.Set("_txlock", "immediate")
		pragma("page_size(%d)", pageSize)
		pragma("auto_vacuum(NONE)")
		pragma("journal_mode(WAL)")
		pragma("synchronous(%s)", e.sync)
		pragma("wal_autocheckpoint(0)")
		pragma("max_page_count(%d)", maxPages)
	}
	if e.vfs != "" {
		q.Set("vfs", e.vfs)
	} else {
		q.Set("modeof", path) // the mode of what SQLite makes beside it
	}
	escaped := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
	return "file:" + escaped + "?" + q.Encode()
}

// SQLite's primary result codes that the store tells apart.
const (
	codeBusy     = 5
	codeLocked   = 6
	codeReadOnly = 8
	codeIO       = 10
	codeCorrupt  = 11
	codeFull     = 13
	codeCantOpen = 14
	codeProtocol = 15
	codeNotADB   = 26
)

// faultWords say what a result code means to the user, and what is wanted instead.
var faultWords = map[int]string{
	codeBusy:     "locked by another process, want one writer",
	codeLocked:   "locked by another process, want one writer",
	codeReadOnly: "read-only, want a writable file",
	codeIO:       "input/output error, want a working disk",
	codeCorrupt:  "damaged, want an intact database",
	codeFull:     "disk full, want free space",
	codeCantOpen: "cannot be opened, want a writable directory",
	codeNotADB:   "not a database, want an intact one",
}

// code gives the result code of an error; what a check of the file found counts as corruption.
func (s *Store) code(err error) (code int, ok bool) {
	var found damage
	if errors.As(err, &found) {
		return codeCorrupt, true
	}
	return s.eng.code(err)
}

// explain says what a failed call means. Errors that are not SQLite's stay without the path that they repeat, and those explained already as
// they are.
func (s *Store) explain(doing string, err error) error {
	var done *explained
	if err == nil || errors.As(err, &done) {
		return err
	}
	if code, ok := s.code(err); ok && faultWords[code] != "" {
		return &explained{fmt.Errorf("%s %q: %s: %w", doing, s.cfg.Path, faultWords[code], err)}
	}
	return &explained{fmt.Errorf("%s %q: %w", doing, s.cfg.Path, bare(err))}
}

// bare leaves of an error of the operating system what happened: the path is named already.
func bare(err error) error {
	switch e := err.(type) {
	case *fs.PathError:
		return e.Err
	case *os.LinkError:
		return e.Err
	case *os.SyscallError:
		return e.Err
	case *net.OpError:
		return bare(e.Err)
	}
	return err
}

// explained is an error that already names the file.
type explained struct{ error }

func (e *explained) Unwrap() error { return errors.Unwrap(e.error) }

// failed tells whether an error has one of the result codes.
func (s *Store) failed(err error, codes ...int) bool {
	if err == nil {
		return false
	}
	code, ok := s.code(err)
	return ok && slices.Contains(codes, code)
}
