// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !noimap || !nomailloop

package probes

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"skywatch/internal/probe"
)

// fetchBatch is how many messages one command speaks of, so that no command line gets too long for a server.
const fetchBatch = 200

// open selects a folder, for reading alone or to delete in it, and tells how many messages there are.
func (c *imapClient) openFolder(name string, readOnly bool) (messages uint32, err error) {
	verb := "SELECT"
	if readOnly {
		verb = "EXAMINE"
	}
	exists, validity := false, ""
	status, err := c.command(imapCommand{verb + " " + imapQuote(encodeFolder(name))}, func(p imapResponse) error {
		if s, ok := p.status(); ok && s.code == "UIDVALIDITY" {
			validity = s.args
		}
		number, ok := strings.CutSuffix(strings.ToUpper(p.parts[0]), " EXISTS")
		if !ok {
			return nil
		}
		n, err := strconv.ParseUint(number, 10, 32)
		messages, exists = uint32(n), true
		if err != nil {
			return probe.Failf(probe.ReasonProtocol, "opening %s: got %s, want a number of messages", c.where(name), c.r.Evidence(p.line()))
		}
		return nil
	})
	switch {
	case err != nil:
		return 0, err
	case status.condition != "OK":
		refusal := &imapRefusal{status, c.r.Evidence(status.answer())}
		return 0, probe.Failf(probe.ReasonResponse, "opening %s: %w, want it opened", c.where(name), refusal)
	case !exists:
		return 0, probe.Failf(probe.ReasonProtocol, "opening %s: got no number of messages (EXISTS), want it", c.where(name))
	case !readOnly && status.code == "READ-ONLY":
		return 0, probe.Failf(probe.ReasonResponse, "opening %s: found it read-only, want to delete in it", c.where(name))
	}
	c.folder = name
	return messages, c.sameFolder(name, validity)
}

// sameFolder fails when the folder is no longer the one that was opened under this name before (RFC 9051, 2.3.1.1): what was noted of its
// messages would be about others, which could then be deleted.
func (c *imapClient) sameFolder(name, validity string) error {
	if before, ok := c.validity[name]; ok && before != validity {
		return probe.Failf(probe.ReasonResponse, "opening %s: its UIDVALIDITY went from %s to %s, want it to stay", c.where(name), c.r.Evidence(before), c.r.Evidence(validity))
	}
	if c.validity == nil {
		c.validity = make(map[string]string)
	}
	c.validity[name] = validity
	return nil
}

// where names a folder and its server, for errors.
func (c *imapClient) where(folder string) string {
	return fmt.Sprintf("folder %q on %q", folder, c.server)
}

// encodeFolder writes a folder's name in the modified UTF-7 that all servers know (RFC 3501, 5.1.3).
func encodeFolder(name string) string {
	var out strings.Builder
	var pending []rune
	flush := func() {
		if len(pending) == 0 {
			return
		}
		var units []byte
		for _, u := range utf16.Encode(pending) {
			units = append(units, byte(u>>8), byte(u))
		}
		out.WriteString("&" + strings.ReplaceAll(base64.RawStdEncoding.EncodeToString(units), "/", ",") + "-")
		pending = nil
	}
	for _, r := range name {
		if r >= 0x20 && r <= 0x7e {
			flush()
			out.WriteRune(r)
			if r == '&' {
				out.WriteByte('-')
			}
			continue
		}
		pending = append(pending, r)
	}
	flush()
	return out.String()
}

// search gives the UIDs of the messages in the open folder that have the keys, in rising order.
func (c *imapClient) search(keys string) ([]uint32, error) {
	found, err := c.find("UID SEARCH " + keys)
	slices.Sort(found.all)
	return slices.Compact(found.all), err
}

// count tells how many messages in the open folder have the keys; by ESEARCH (RFC 4731) where there is that, since a list may be long.
func (c *imapClient) count(keys string) (uint32, error) {
	command := "UID SEARCH "
	if c.can("ESEARCH") || c.can("IMAP4REV2") {
		command += "RETURN (COUNT) "
	}
	found, err := c.find(command + keys)
	return found.count, err
}

func (c *imapClient) find(command string) (found imapUIDs, err error) {
	doing := "searching " + c.where(c.folder)
	_, err = c.must(doing, command, "it done", func(p imapResponse) error {
		if !found.take(p) {
			return probe.Failf(probe.ReasonProtocol, "%s: got %s, want numbers of messages", doing, c.r.Evidence(p.line()))
		}
		return nil
	})
	return found, err
}

// marked gives those messages of the open folder that carry a token, oldest first, of more than maxMarked the newest.
func (c *imapClient) marked(context.Context) ([]markedMessage, error) {
	uids, err := c.markedUIDs()
	if err != nil {
		return nil, err
	}
	return c.headers(uids[max(0, len(uids)-maxMarked):])
}

// markedUIDs gives the UIDs of all messages of the open folder that carry a token, in rising order.
func (c *imapClient) markedUIDs() ([]uint32, error) { return c.search("HEADER " + tokenHeader + ` ""`) }

// headers fetches what belongs to marked messages; of each no more than a few KiB, however long its header is.
func (c *imapClient) headers(uids []uint32) (all []markedMessage, err error) {
	if len(uids) == 0 {
		return nil, nil
	}
	command := "UID FETCH " + imapSet(uids) + " (UID BODY.PEEK[HEADER.FIELDS (" + tokenHeader + ")]<0.512> BODY.PEEK[HEADER.FIELDS (Received Date)]<0.4096>)"
	_, err = c.must("fetching from "+c.where(c.folder), command, "headers", func(p imapResponse) error {
		uid, header, ok := p.fetched()
		if !ok {
			return probe.Failf(probe.ReasonProtocol, "fetching from %s: got %s, want a FETCH response", c.where(c.folder), c.r.Evidence(p.line()))
		}
		if _, asked := slices.BinarySearch(uids, uid); asked && header != "" {
			all = append(all, mark(uid, header))
		}
		return nil
	})
	return all, err
}

// oldest gives the UIDs of the first n messages of the open folder.
func (c *imapClient) oldest(n uint32) ([]uint32, error) {
	if n == 0 {
		return nil, nil
	}
	return c.search(fmt.Sprintf("1:%d", n))
}

// delete deletes messages of the open folder and tells how many are gone; if others, those that somebody else flagged may go too.
func (c *imapClient) delete(uids []uint32, others bool) (deleted int, err error) {
	slices.Sort(uids)
	for batch := range slices.Chunk(uids, fetchBatch) {
		gone, err := c.expunge(batch, others)
		if err != nil {
			return deleted, err
		}
		deleted += gone
	}
	return deleted, nil
}

// expunge deletes a batch. Without UIDPLUS (RFC 4315) what others have flagged would go too: unless that is wanted, nothing is then
// expunged while there is such a message, and ours stay flagged.
func (c *imapClient) expunge(uids []uint32, others bool) (gone int, err error) {
	doing, set := "deleting in "+c.where(c.folder), imapSet(uids)
	if _, err := c.must(doing, "UID STORE "+set+` +FLAGS.SILENT (\Deleted)`, "the messages flagged", nil); err != nil {
		return 0, err
	}
	command := "EXPUNGE"
	if c.can("UIDPLUS") || c.can("IMAP4REV2") {
		command = "UID EXPUNGE " + set
	} else if !others {
		flagged, err := c.search("DELETED")
		if err != nil {
			return 0, err
		}
		foreign := slices.DeleteFunc(flagged, func(uid uint32) bool { return slices.Contains(uids, uid) })
		if len(foreign) > 0 {
			c.r.Log.Warn("not expunged: messages that others flagged would go too, and the server has no UIDPLUS", "messages", len(foreign))
			return 0, nil
		}
	}
	if _, err := c.must(doing, command, "the messages gone", nil); err != nil {
		return 0, err
	}
	return len(uids), nil
}
