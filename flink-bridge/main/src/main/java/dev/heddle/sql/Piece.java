package dev.heddle.sql;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;

/** A part of a script between two semicolons, without comments. */
final class Piece {
    /** Marks a character of a quoted text in {@link #mask}. */
    static final char TEXT = '\1';
    /** Marks a character of a quoted name in {@link #mask}. */
    static final char NAME = '\2';
    /** Marks a character of a hint in {@link #mask}. */
    static final char HINT = '\3';

    /** The most characters of a piece that are shown. */
    private static final int LONGEST = 100;

    /** The line on which the piece begins; the first line of the script is 1. */
    final int line;
    /** The number of characters in front of the piece in its line. */
    final int column;
    /** The text; comments are blanks, and hints are as they were written. */
    final String text;

    /** The text in which quotations are marks. */
    private final String mask;
    private final List<Word> words;

    Piece(int line, int column, String text, String mask) {
        this.line = line;
        this.column = column;
        this.text = text;
        this.mask = mask;
        this.words = words(mask);
    }

    /** The words outside of quotations, in capital letters, and parentheses. */
    private static List<Word> words(String mask) {
        List<Word> words = new ArrayList<>();
        int depth = 0;
        for (int at = 0; at < mask.length(); at++) {
            char sign = mask.charAt(at);
            if (sign == ')') {
                depth--;
            } else if (sign == '(') {
                words.add(new Word("(", depth++, at + 1));
            } else if (isPartOfWord(sign)) {
                int from = at;
                while (at + 1 < mask.length() && isPartOfWord(mask.charAt(at + 1))) {
                    at++;
                }
                words.add(new Word(mask.substring(from, at + 1).toUpperCase(Locale.ROOT), depth, at + 1));
            }
        }
        return Collections.unmodifiableList(words);
    }

    private static boolean isPartOfWord(char sign) {
        return sign == '_' || Character.isLetterOrDigit(sign);
    }

    /** The word at this place, or an empty text behind the last one. */
    String word(int index) {
        return index < words.size() ? words.get(index).text : "";
    }

    /** Whether the piece consists of exactly these words. */
    boolean is(String... wanted) {
        return words.size() == wanted.length && begins(wanted) && onlyWords();
    }

    /** Whether the piece begins with these words. */
    boolean begins(String... wanted) {
        for (int index = 0; index < wanted.length; index++) {
            if (!word(index).equals(wanted[index])) {
                return false;
            }
        }
        return true;
    }

    private boolean onlyWords() {
        for (int at = 0; at < mask.length(); at++) {
            if (!isPartOfWord(mask.charAt(at)) && !Character.isWhitespace(mask.charAt(at))) {
                return false;
            }
        }
        return true;
    }

    /** The place in the words behind this sequence, none of which is in parentheses; -1 without it. */
    int behind(String... wanted) {
        for (int first = 0; first + wanted.length <= words.size(); first++) {
            int matched = 0;
            while (matched < wanted.length
                    && words.get(first + matched).depth == 0
                    && words.get(first + matched).text.equals(wanted[matched])) {
                matched++;
            }
            if (matched == wanted.length) {
                return first + matched;
            }
        }
        return -1;
    }

    /** What stands behind the words in front of this place. */
    Piece rest(int index) {
        int from = index == 0 ? 0 : words.get(index - 1).end;
        return Script.piece(line, column, text.substring(from), mask.substring(from), text.substring(0, from));
    }

    boolean isEmpty() {
        return text.isEmpty();
    }

    /**
     * The text with as many lines and blanks in front of it as it has in the script, so that the places that
     * Flink's messages name are those of the script.
     */
    String atItsPlace() {
        StringBuilder padded = new StringBuilder();
        for (int above = 1; above < line; above++) {
            padded.append('\n');
        }
        for (int before = 0; before < column; before++) {
            padded.append(' ');
        }
        return padded.append(text).toString();
    }

    /** The beginning of the text on one line, without quoted texts and hints, which may hold a password. */
    String shown() {
        StringBuilder shown = new StringBuilder();
        char before = '\0';
        for (int at = 0; at < text.length(); at++) {
            char mark = mask.charAt(at);
            boolean blank = mark != TEXT && mark != HINT && Character.isWhitespace(text.charAt(at));
            char kind = blank ? ' ' : mark;
            if (mark == TEXT || mark == HINT || blank) {
                // Once for all such characters beside each other.
                String instead = blank ? " " : mark == TEXT ? "'...'" : "/*+...*/";
                shown.append(kind == before ? "" : instead);
            } else {
                shown.append(text.charAt(at));
            }
            before = kind;
        }
        return shown.length() <= LONGEST ? shown.toString() : shown.substring(0, LONGEST) + "...";
    }

    /** A word, or an opening parenthesis. */
    private static final class Word {
        final String text;
        /** How many parentheses are open in front of it. */
        final int depth;
        /** The place behind it in the mask. */
        final int end;

        Word(String text, int depth, int end) {
            this.text = text;
            this.depth = depth;
            this.end = end;
        }
    }
}
