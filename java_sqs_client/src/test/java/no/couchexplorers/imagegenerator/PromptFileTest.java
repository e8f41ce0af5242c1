package no.couchexplorers.imagegenerator;

import static no.couchexplorers.imagegenerator.Failing.refusal;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PromptFileTest {
    @TempDir
    private Path folder;

    @Test
    void each_line_is_a_message_and_blank_lines_are_none() throws Exception {
        Path file = file("a jeep\n\n  \n{\"prompt\": \"et fjell\", \"seed\": 7}\nblåbær 🫐");

        assertEquals(
                List.of(
                        new Message(1, "a jeep"),
                        new Message(4, "{\"prompt\": \"et fjell\", \"seed\": 7}"),
                        new Message(5, "blåbær 🫐")),
                PromptFile.read(file.toString(), InputStream.nullInputStream()));
    }

    @Test
    void a_byte_order_mark_and_carriage_returns_are_taken_off() throws Exception {
        Path file = file("\uFEFFa jeep\r\na pyramid\r\n\r\n");

        assertEquals(
                List.of(new Message(1, "a jeep"), new Message(2, "a pyramid")),
                PromptFile.read(file.toString(), InputStream.nullInputStream()));
    }

    @Test
    void a_dash_reads_standard_input() throws Exception {
        assertEquals(List.of(new Message(1, "søt 狐")), PromptFile.read("-", input("søt 狐\n")));
    }

    @Test
    void a_bad_line_is_named_before_anything_is_sent() throws IOException {
        String good = "a jeep\n{\"prompt\": \"x\"}\n";

        assertTrue(refusal(() -> PromptFile.read("-", input(good + "{\"seed\": 1}")))
                .startsWith("Line 3 of standard input has no prompt"));
        Path file = folder.resolve("latin-1.txt");
        Files.write(file, "a jeep\npå fjellet\n".getBytes(StandardCharsets.ISO_8859_1));
        assertEquals(
                "Line 2 of " + file + " is not in UTF-8: save the file in that encoding.",
                refusal(() -> PromptFile.read(file.toString(), InputStream.nullInputStream())));
    }

    @Test
    void a_file_without_prompts_is_told() {
        assertEquals(
                "No prompt stands in standard input: write one on each line.",
                refusal(() -> PromptFile.read("-", input("\n \r\n"))));
    }

    @Test
    void a_file_that_cannot_be_read_is_told_with_the_reason() {
        String hint = ": give a file of prompts, or - for standard input.";
        Path missing = folder.resolve("missing.txt");

        assertEquals(
                "The file \"missing.txt\" does not exist" + hint,
                refusal(() -> PromptFile.read("missing.txt", InputStream.nullInputStream())));
        assertTrue(refusal(() -> PromptFile.read(folder.toString(), InputStream.nullInputStream()))
                .endsWith(" is a folder" + hint));
        assertTrue(refusal(() -> PromptFile.read(missing + "\0", InputStream.nullInputStream()))
                .endsWith(" does not exist" + hint));
    }

    private Path file(String text) throws IOException {
        return Files.writeString(folder.resolve("prompts.txt"), text);
    }

    private static InputStream input(String text) {
        return new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8));
    }
}
