// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !noftp

package probes

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"skywatch/internal/probe"
)

// The file that a probe writes, and what is remembered of it.
const (
	ftpFilePrefix  = ".skywatch-"     // of its name
	ftpFileBytes   = 1 << 10          // its size
	ftpFilesKey    = "ftp_files"      // in Recorder.Store: lines of the time from which on nobody works with a file, in Unix seconds, and its path
	ftpFilesMax    = 16               // that are remembered
	ftpFileGrace   = time.Minute      // after the deadline of its probe
	ftpFileForever = 10 * time.Minute // for a probe without a deadline
)

// roundTrip writes a small file, reads it back, compares and deletes it. Its name is new, so it is nobody else's. It is deleted also when
// something goes wrong after it was begun, and if the probe itself ends too early, by a later one.
func (f *ftpTalk) roundTrip(ctx context.Context, directory string) error {
	if _, err := f.ask("setting the type", "TYPE I", 200); err != nil {
		return err
	}
	if err := f.clean(time.Now()); err != nil {
		return err
	}
	path := ftpFilePrefix + rand.Text()
	if directory != "." {
		path = strings.TrimSuffix(directory, "/") + "/" + path
	}
	content := make([]byte, ftpFileBytes)
	rand.Read(content)
	f.remember(ctx, path)
	begun, err := f.move(ctx, "uploading a file", "STOR "+path, func(conn net.Conn) error { return sendData(conn, content) })
	if !begun {
		f.forget(path)
		return err
	}
	if err == nil {
		f.r.Set(descFTPBytes, ftpFileBytes, "upload")
		f.done("upload")
		err = f.readBack(ctx, path, content)
	}
	if failed := f.remove(path); err == nil {
		err = failed
	}
	return err
}

// readBack reads the file and compares it.
func (f *ftpTalk) readBack(ctx context.Context, path string, want []byte) error {
	var got bytes.Buffer
	_, err := f.move(ctx, "downloading the file", "RETR "+path, func(conn net.Conn) error {
		_, err := io.Copy(&got, conn)
		conn.Close() // as in list
		return err
	})
	if err != nil {
		return err
	}
	f.r.Set(descFTPBytes, float64(got.Len()), "download")
	if !bytes.Equal(got.Bytes(), want) {
		same := 0
		for same < min(got.Len(), len(want)) && got.Bytes()[same] == want[same] {
			same++
		}
		return probe.Failf(probe.ReasonResponse, "downloading the file at %q: got %d bytes of which the first %d are right, want the %d that were uploaded",
			f.server, got.Len(), same, len(want))
	}
	f.done("download")
	return nil
}

// remove deletes the file.
func (f *ftpTalk) remove(path string) error {
	if _, err := f.ask("deleting the file", "DELE "+path, 250, 200); err != nil {
		return err
	}
	f.forget(path)
	f.done("delete")
	return nil
}

// clean deletes what probes of this module and target left behind that ended too early. Files of a probe that may still run are left. That
// a server does not delete an old file is no failure of this probe; one that it never will is given up.
func (f *ftpTalk) clean(now time.Time) error {
	files, err := f.files()
	if err != nil {
		f.r.Log.Warn("old files are not looked for", "err", err)
	}
	for _, file := range files {
		if now.Before(file.free) {
			continue
		}
		answer, err := f.ask("deleting an old file", "DELE "+file.path, 250, 200)
		if err != nil && answer.code < 400 {
			return err
		}
		f.r.Log.Info("old file deleted, or not", "path", file.path, "reply", answer.String())
		if err == nil || answer.code >= 500 {
			f.forget(file.path)
		}
	}
	return nil
}

// ftpFile is a file that a probe has begun to write and not yet deleted.
type ftpFile struct {
	free time.Time // from when on its probe is over for sure
	path string
}

// files gives what is remembered.
func (f *ftpTalk) files() ([]ftpFile, error) {
	text, err := f.r.Store().Get(ftpFilesKey)
	if err != nil {
		return nil, err
	}
	var files []ftpFile
	for line := range strings.Lines(string(text)) {
		free, path, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		seconds, err := strconv.ParseInt(free, 10, 64)
		if ok && err == nil {
			files = append(files, ftpFile{time.Unix(seconds, 0), path})
		}
	}
	return files, nil
}

// remember notes a file before it is written. Of too many the oldest are forgotten.
func (f *ftpTalk) remember(ctx context.Context, path string) {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(ftpFileForever)
	}
	f.change(func(files []ftpFile) []ftpFile {
		files = append(files, ftpFile{deadline.Add(ftpFileGrace), path})
		return files[max(0, len(files)-ftpFilesMax):]
	})
}

// forget is for a file that is gone.
func (f *ftpTalk) forget(path string) {
	f.change(func(files []ftpFile) []ftpFile {
		return slices.DeleteFunc(files, func(file ftpFile) bool { return file.path == path })
	})
}

// change stores another list. Two probes at the same time may lose an entry of the other, which matters only if that one ends too early.
func (f *ftpTalk) change(with func([]ftpFile) []ftpFile) {
	files, err := f.files()
	if err == nil {
		err = f.note(with(files))
	}
	if err != nil {
		f.r.Log.Warn("what was uploaded is not remembered", "err", err)
	}
}

func (f *ftpTalk) note(files []ftpFile) error {
	if len(files) == 0 {
		return f.r.Store().Delete(ftpFilesKey)
	}
	var text strings.Builder
	for _, file := range files {
		fmt.Fprintf(&text, "%d %s\n", file.free.Unix(), file.path)
	}
	return f.r.Store().Put(ftpFilesKey, []byte(text.String()))
}
